"""Arbitrary bytes on every topic that the services subscribe to, live and retained."""

import random
import re
import time
from collections.abc import Iterator

import pytest

from tests.builders import reading
from tests.integration.client import Client, run
from tests.integration.points import wait_points
from tests.integration.posting import client, send
from tests.stack import Stack

HUGE = b"9" * 6000
NASTY = [
    b"",
    b"\xff\xfe\x00",
    b'{"state":"\xff"}',
    b"[" * 5_000,
    b'{"a":' * 5_000,
    b'{"value":' + b"[" * 5_000,
    b'{"value":' + HUGE + b"}",
    b'{"value":-1e999999}',
    b'{"value":1,"ts":"99999-01-01T00:00:00Z"}',
    b'{"value":1,"ts":"0000-00-00T00:00:00+99:99"}',
    b'{"value":1,"id":"a:' + HUGE + b'"}',
    b'{"value":1,"sensor_id":' + HUGE + b"}",
    b'{"value":1,"value":2}',
    b'{"value":1,"type":"\\ud800"}',
    b'{"state":"storing","counters":{"n":' + HUGE + b"}}",
    b'{"state":"storing","counters":{"n":1e400}}',
    b'{"state":"storing","counters":{"":1,"a b":2,"\\u0000":3}}',
    b'{"state":"storing","reason":' + b'"\\u0000' * 100 + b'"}',
    b'{"state":["storing"]}',
    b'{"stored":[[1,' + HUGE + b"]]}",
    b'{"stored":[[1,9223372036854775808]]}',
    b'{"stored":[[1,18446744073709551616]],"run":"x"}',
    b'{"stored":[[5,1]]}',
    b'{"stored":' + b"[" * 5_000,
    b'{"rejected":[{"seq":' + HUGE + b',"reason":""}]}',
    b'{"rejected":[{"seq":9223372036854775808,"reason":"\\u0000"}]}',
    b'{"rejected":[{"seq":1,"reason":5}],"run":7}',
    b"null",
    b"true",
    b"1" * 5_000,
    b'"\\ud800\\udfff"',
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("fuzz")) as stack:
        yield stack


def garbage(seed: int, count: int) -> list[bytes]:
    """Return random bytes, and mutilated messages that would be valid."""
    chance = random.Random(seed)
    messages = [chance.randbytes(chance.randrange(200)) for _ in range(count)]
    for _ in range(count):
        whole = bytearray(chance.choice(NASTY)[:300] or b"{}")
        for _ in range(chance.randrange(1, 5)):
            whole[chance.randrange(len(whole))] = chance.randrange(256)
        messages.append(bytes(whole))
    return messages


def topics(outbox: str, name: str = "x") -> list[str]:
    """Return topics that the services subscribe to; those that can, contain `name`."""
    services = [f"status/bridge/{name}", "status/bridge/bridge", f"status/collector/{name}"]
    readings = [f"readings/{name}/t", f"replay/{name}/t", f"readings/$/{name}", f"replay//{name}/"]
    return [*services, *readings, "status/a/b/c", "readings", "status", f"receipts/{outbox}"]


def outbox_of(stack: Stack) -> str:
    named = re.search(r"collector (\w+) listens", stack.collector.log_text())
    assert named
    return named[1]


def publish_all(stack: Stack, messages: list[bytes], *, retain: bool) -> None:
    """Publish each message on every topic; retained ones on topics of their own, where possible."""
    outbox = outbox_of(stack)

    async def scenario() -> None:
        sender = Client(stack.broker.port)
        async with sender.running():
            for number, message in enumerate(messages):
                for topic in topics(outbox, f"n{number}" if retain else "x"):
                    sender.mqtt.publish(topic, message, retain=retain)
                await sender.mqtt.drain()

    run(scenario())


def assert_works(stack: Stack, sensor: str) -> None:
    for service in (stack.collector, stack.bridge):
        assert service.running, service.log_text()[-3000:]
    with client(stack.collector) as http:
        assert send(http, reading(sensor, time.time_ns(), 1)).status_code == 201
    wait_points(stack.influx, sensor, timeout=30)
    stack.bridge.wait_ready()  # asks `bridge --check`


def test_garbage_ends_no_service(stack: Stack, sensor: str) -> None:
    publish_all(stack, [*NASTY, *garbage(1, 300)], retain=False)
    assert_works(stack, sensor)


@pytest.mark.parametrize("bridge_id", ["bridge", "new"])
def test_retained_garbage_ends_no_service_and_both_start_with_it(
    stack: Stack, sensor: str, bridge_id: str
) -> None:
    publish_all(stack, [*NASTY, *garbage(2, 100)], retain=True)
    assert_works(stack, sensor)
    stack.collector.stop()
    stack.bridge.stop()
    publish_all(stack, NASTY, retain=True)
    stack.bridge.env["BRIDGE_ID"] = bridge_id  # a new one has no session: it gets what is retained
    stack.start("collector", "bridge")
    assert_works(stack, f"{sensor} later")
