"""Bytes that are no message of the pipeline, on each of its topics."""

import random
from collections.abc import Iterator

from tests.chaos.fault import Heal
from tests.chaos.forgery import identity
from tests.chaos.ledger import PostOutcome
from tests.chaos.mqtt_publisher import publication, publish
from tests.chaos.rig import Rig

DEPTH = 5000
GARBAGE = "garbage"
SERIES = [(GARBAGE, GARBAGE), ("a,b= ", "c\\"), ("", "")]
TAKEN = ("x", "value")
"""The series of `{"value":1}` on devices/x."""
TOPICS = (
    *(
        f"{root}/{sensor}/{type_}"
        for root in ("devices", "readings", "replay")
        for sensor, type_ in SERIES
    ),
    "devices/x",
    "devices/a/b/c",
    "devices/" + "x" * 20_000,
    "readings/x",
    "readings/a/b/c",
    "readings/" + "x" * 20_000,
    "status/bridge/x",
    "status/x/y",
    "status/x",
    "rejected/x/y",
)
TEXTS = (
    b"null",
    b"0",
    b'"text"',
    b"{}",
    b'{"value":1}',
    b"[]",
    b"\xff\xfe",
    b'{"value":"\xff"}',
    b'{"value":1,"id":"\xff"}',
    b'{"state":"\xff"}',
    b'{"stored":"\xff"}',
    b'{"value":1,"id":"\\ud800:1"}',
    b'{"state":"\\ud800","counters":{"\\ud800":1}}',
    b'{"value":1e400}',
    b'{"value":%b}' % (b"9" * 5000),
    b'{"value":1,"ts":"9999-99-99T99:99:99Z"}',
    b'{"value":1,"ts":"0000-01-01T00:00:00Z"}',
    b'{"value":1,"id":"a:%b"}' % (b"9" * 5000),
    b'{"value":1,"id":"a.b:%b"}' % (b"9" * 18),
    b'{"state":"storing","counters":{"a":%b}}' % (b"9" * 500),
    b'{"state":"storing","counters":{"a":9223372036854775808}}',
    b'{"state":"storing","counters":{"a b,c=":1}}',
    b'{"stored":[[1,%b]]}' % (b"9" * 500),
    b'{"stored":[[0,0]],"rejected":[{"seq":-1,"reason":null}]}',
    b'{"stored":[[2,1]]}',
    b'{"run":[],"stored":[[1,1]]}',
    b"[" * DEPTH,
    b"[" * DEPTH + b"]" * DEPTH,
    b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
    b'{"value":1,"x":' + b"[" * DEPTH + b"]" * DEPTH + b"}",
    b'{"state":"storing","counters":' + b"[" * DEPTH + b"]" * DEPTH + b"}",
    b'{"stored":' + b"[" * DEPTH + b"]" * DEPTH + b"}",
)


def messages(rng: random.Random) -> Iterator[bytes]:
    """Yield texts that are wrong in one way each, then random bytes and nothing."""
    yield from TEXTS
    for size in (1, 20, 1000, 30_000):
        yield rng.randbytes(size)
    yield b""


def garbage(rig: Rig, rng: random.Random) -> Heal:
    """Publish garbage on every topic, and leave some of it retained on each until healed."""
    rig.ledger.ignored.update([*SERIES, TAKEN])
    topics = [*TOPICS, f"receipts/{identity(rig).outbox}"]
    packets = [
        publication(topic, payload, qos=rng.randrange(2))
        for topic in topics
        for payload in messages(rng)
    ]
    retained = [publication(topic, rng.choice(TEXTS), qos=1, retain=True) for topic in topics]
    rig.ledger.posts[PostOutcome.UNKNOWN] += len(packets)  # some are readings, of no device
    publish(rig.broker.port, [*packets, *retained])

    def clear() -> None:
        rig.broker.wait_ready()
        publish(rig.broker.port, (publication(topic, b"", retain=True) for topic in topics))

    return clear
