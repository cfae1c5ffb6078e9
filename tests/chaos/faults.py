"""The faults: which part they affect, how long they last and how they are healed."""

import random
import signal
import time
from collections.abc import Callable
from itertools import chain

from tests.chaos import mqtt_publisher
from tests.chaos.broken import CRASH_POINTS
from tests.chaos.database_faults import drop_database, drop_series, restore_database, tear_log
from tests.chaos.fault import Fault, Heal, Inject, Part, nothing_to_heal
from tests.chaos.forgery import forged_receipts, retained_receipts
from tests.chaos.garbage import garbage
from tests.chaos.hanging import hanging_connections
from tests.chaos.influx_stub import Answer, Mode
from tests.chaos.load import post_once
from tests.chaos.outbox_copy import restore_outbox
from tests.chaos.proxy import BOTH, Direction, Kind, Proxy, Toxic
from tests.chaos.rig import CONFLICTING_WEEK_NS, Rig

BRIDGE_ID = "bridge"
PUBLISHING: frozenset[Part] = frozenset({"devices", "collector", "broker"})
"""The parts that have to work for readings to be published."""
SERVICES: tuple[Part, ...] = ("collector", "broker", "bridge", "influx")
NOT_INFLUXDB = {
    "text": Answer(400, b"Client sent an HTTP request to an HTTPS server.\n"),
    "HTML": Answer(400, b"<html><h1>400 Bad Request</h1></html>", "text/html"),
    "JSON": Answer(400, b'{"error":{"code":400,"message":"bad request"}}', "application/json"),
    "text as JSON": Answer(400, b'{"error":"bad request"}', "application/json"),
}
"""Responses of a proxy that has not asked InfluxDB."""
STUB_FAULTS: dict[str, Mode] = {
    **{f"InfluxDB responds {status}": Answer(status) for status in (401, 429, 500, 503)},
    **{f"a proxy responds 400 in {form}": answer for form, answer in NOT_INFLUXDB.items()},
    "InfluxDB's responses lost": "drop",
}
DIRECTIONS: dict[str, tuple[Direction, ...]] = {"": BOTH, " up": ("up",), " down": ("down",)}
ONE_WAY_TOXICS = {"stall": Toxic(Kind.STALL), "swallow": Toxic(Kind.SWALLOW)}
TWO_WAY_TOXICS = {
    "latency": Toxic(Kind.LATENCY, delay_s=0.2),
    "slice": Toxic(Kind.SLICE, size=200, delay_s=0.002),
    "limit": Toxic(Kind.LIMIT, size=5000),
}


def kill(name: Part, times: int = 1) -> Inject:
    """SIGKILL; for `times` above 1 again during each of the next starts."""

    def inject(rig: Rig, rng: random.Random) -> Heal:
        service = rig.service(name)
        service.kill()
        for _ in range(times - 1):
            service.start()
            time.sleep(rng.uniform(0, 1))  # a start may be interrupted at any instant
            service.kill()
        return service.start

    return inject


def stop(name: Part) -> Inject:
    def inject(rig: Rig, _: random.Random) -> Heal:
        code = rig.service(name).stop(timeout=20)
        # A service that has just been started may not handle signals yet.
        assert code in {0, -signal.SIGTERM}, f"{name} ended with {code}"
        return rig.service(name).start

    return inject


def pause(name: Part) -> Inject:
    def inject(rig: Rig, _: random.Random) -> Heal:
        rig.service(name).pause()
        return rig.service(name).resume

    return inject


def wipe_broker(rig: Rig, _: random.Random) -> Heal:
    rig.broker.kill()
    rig.broker.wipe()
    return rig.broker.start


def take_id(rig: Rig, _: random.Random) -> Heal:
    mqtt_publisher.take_id(rig.broker.port, BRIDGE_ID)
    return nothing_to_heal


def crash_at(name: Part, crash_point: str) -> Inject:
    def inject(rig: Rig, rng: random.Random) -> Heal:
        service = rig.service(name)
        service.kill()
        rig.start_with_fault(service, crash_point, after=rng.randint(1, 20))

        def heal() -> None:
            service.kill()
            service.start()

        return heal

    return inject


def set_stub(mode: Mode) -> Inject:
    def inject(rig: Rig, _: random.Random) -> Heal:
        rig.stub.mode = mode
        return rig.stub.pass_through

    return inject


def on_proxy(name: str, action: Callable[[Proxy], None]) -> Inject:
    def inject(rig: Rig, _: random.Random) -> Heal:
        proxy: Proxy = getattr(rig, name)
        action(proxy)
        return proxy.heal

    return inject


def post_rejected(rig: Rig, rng: random.Random) -> Heal:
    """Post six good readings and one that InfluxDB rejects in one request."""
    series = rig.ledger.series_of("rejected", "temp")
    rig.ledger.rejected.add(series.key)
    good = rig.ledger.series_of("beside rejected", "temp")

    async def post() -> None:
        readings = [rig.ledger.attempt(good, time.time_ns(), n / 7) for n in range(6)]
        ns = CONFLICTING_WEEK_NS + rng.randrange(3600 * 10**9)
        readings.insert(3, rig.ledger.attempt(series, ns, 0.5))
        await post_once(rig.device_proxy.port, rig.ledger, readings)

    rig.background.run(post(), timeout=30)
    return nothing_to_heal


def fill_disk(rig: Rig, _: random.Random) -> Heal:
    assert rig.disk, "only root can mount a disk to fill"
    rig.collector.wait_ready()  # a start needs some room: on a full disk it ends, and says so
    rig.disk.fill()
    return rig.disk.free


def _toxics() -> dict[str, Callable[[Proxy], None]]:
    def apply(toxic: Toxic, directions: tuple[Direction, ...]) -> Callable[[Proxy], None]:
        return lambda proxy: proxy.apply(toxic, directions)

    one_way = {
        f"{name}{suffix}": apply(toxic, directions)
        for name, toxic in ONE_WAY_TOXICS.items()
        for suffix, directions in DIRECTIONS.items()
    }
    return one_way | {name: apply(toxic, BOTH) for name, toxic in TWO_WAY_TOXICS.items()}


def _proxy_faults(proxy: str, part: Part) -> list[Fault]:
    parts = frozenset({part})
    return [
        Fault(f"cut {proxy}", parts, on_proxy(proxy, Proxy.cut), (0.3, 4.0)),
        Fault(f"reset {proxy}", parts, on_proxy(proxy, Proxy.reset), (0.0, 1.0)),
        *(
            Fault(f"{name} {proxy}", parts, on_proxy(proxy, toxic), (0.3, 5.0))
            for name, toxic in _toxics().items()
        ),
    ]


PROXIES: dict[str, Part] = {
    "device_proxy": "devices",
    "mqtt_device_proxy": "devices",
    "collector_proxy": "collector",
    "bridge_proxy": "bridge",
    "influx_proxy": "influx",
}
"""Attributes of the rig, each with the part whose outgoing connections the proxy carries."""

PROXY_FAULTS = {proxy: _proxy_faults(proxy, part) for proxy, part in PROXIES.items()}

SERVICE_FAULTS: list[Fault] = [
    *(Fault(f"SIGKILL {name}", frozenset({name}), kill(name)) for name in SERVICES),
    *(Fault(f"3 x SIGKILL {name}", frozenset({name}), kill(name, 3)) for name in SERVICES),
    *(Fault(f"SIGTERM {name}", frozenset({name}), stop(name)) for name in SERVICES),
    *(Fault(f"SIGSTOP {name}", frozenset({name}), pause(name), (0.5, 20)) for name in SERVICES),
    Fault("broker wiped", frozenset({"broker"}), wipe_broker),
    Fault("bridge's id taken", frozenset({"bridge", "broker"}), take_id, (0, 0)),
    Fault("InfluxDB down", frozenset({"influx"}), kill("influx"), (5, 20)),
    *(
        Fault(kind, frozenset({"influx"}), set_stub(mode), (0.5, 6))
        for kind, mode in STUB_FAULTS.items()
    ),
    Fault("rejected reading", frozenset({"devices"}), post_rejected, (0, 0)),
    Fault("disk full", frozenset({"collector"}), fill_disk, (0.5, 5), needs_disk=True),
    Fault("garbage", PUBLISHING, garbage),
    Fault("forged receipts", PUBLISHING, forged_receipts),
    Fault("retained receipts", PUBLISHING, retained_receipts),
    Fault("hanging connections", frozenset({"devices", "collector"}), hanging_connections, (2, 20)),
    # "devices", because it waits for the end of their connections, which a stalled one never has.
    Fault("outbox restored", frozenset({"devices", "collector", "influx"}), restore_outbox),
]

DATABASE_FAULTS: list[Fault] = [
    Fault("database dropped", frozenset({"influx", "devices"}), drop_database, (0, 0)),
    Fault("series dropped", frozenset({"influx"}), drop_series, (0, 0)),
    Fault("database restored", frozenset({"influx"}), restore_database, (1, 5)),
    Fault("log torn", frozenset({"devices", *SERVICES}), tear_log, (1, 3), needs_disk=True),
]
"""InfluxDB forgets what it has confirmed."""

CRASH_FAULTS: list[Fault] = [
    Fault(f"SIGKILL {crash_point}", frozenset({name}), crash_at(name, crash_point), (2, 5))
    for crash_point in CRASH_POINTS
    for name in SERVICES
    if crash_point.startswith(name)
]
"""Crashes between two steps that belong together."""

FAULTS = [
    *SERVICE_FAULTS,
    *DATABASE_FAULTS,
    *CRASH_FAULTS,
    *chain.from_iterable(PROXY_FAULTS.values()),
]
