"""The faults: what strikes which part, for how long, and how it heals."""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from tests.chaos.broken import INSTANTS
from tests.chaos.influx_stub import Mood
from tests.chaos.proxy import BOTH, Direction, Kind, Proxy, Toxic
from tests.chaos.rig import Rig

Part = Literal["devices", "collector", "broker", "bridge", "influx"]
Heal = Callable[[], None]
Strike = Callable[[Rig, random.Random], Heal]

SERVICES: tuple[Part, ...] = ("collector", "broker", "bridge", "influx")
MOODS: tuple[Mood, ...] = (401, 429, 500, 503, "lose")
DIRECTIONS: dict[str, tuple[Direction, ...]] = {"": BOTH, " up": ("up",), " down": ("down",)}
HALVES = {"stall": Toxic(Kind.STALL), "swallow": Toxic(Kind.SWALLOW)}
WHOLES = {
    "latency": Toxic(Kind.LATENCY, delay_s=0.2),
    "slice": Toxic(Kind.SLICE, size=200, delay_s=0.002),
    "limit": Toxic(Kind.LIMIT, size=5000),
}


@dataclass(frozen=True)
class Fault:
    """One kind of fault. Two of them strike at once only when they touch different parts."""

    kind: str
    parts: frozenset[Part]
    strike: Strike
    seconds: tuple[float, float] = (0.5, 4.0)
    """How long it lasts before it is healed: at least, at most."""


def nothing() -> None:
    """Heal what needs no healing."""


def kill(name: Part, times: int = 1) -> Strike:
    """SIGKILL, once or again during each new start."""

    def strike(rig: Rig, rng: random.Random) -> Heal:
        service = rig.service(name)
        service.kill()
        for _ in range(times - 1):
            service.start()
            time.sleep(rng.uniform(0, 1))  # the fault: any instant of a start may be the last
            service.kill()
        return service.start

    return strike


def stop(name: Part) -> Strike:
    """SIGTERM, and a start after a while."""

    def strike(rig: Rig, _: random.Random) -> Heal:
        code = rig.service(name).stop(timeout=20)
        # One that has just been started may not be that far yet that it handles signals.
        assert code in {0, -signal.SIGTERM}, f"{name} ended with {code}"
        return rig.service(name).start

    return strike


def pause(name: Part) -> Strike:
    """SIGSTOP, later SIGCONT."""

    def strike(rig: Rig, _: random.Random) -> Heal:
        rig.service(name).pause()
        return rig.service(name).resume

    return strike


def wipe(rig: Rig, _: random.Random) -> Heal:
    """Kill the broker and remove all that it has on disk."""
    rig.broker.kill()
    rig.broker.wipe()
    return rig.broker.start


def lose_session(rig: Rig, _: random.Random) -> Heal:
    """Take the bridge's session over and discard it with all that is queued there."""
    rig.discard_session()
    return nothing


def at_instant(name: Part, instant: str) -> Strike:
    """Run the service so that it kills itself at a named instant."""

    def strike(rig: Rig, rng: random.Random) -> Heal:
        service = rig.service(name)
        service.kill()
        rig.start_broken(service, instant, after=rng.randint(1, 20))

        def heal() -> None:
            service.kill()
            service.start()

        return heal

    return strike


def answer(mood: Mood) -> Strike:
    """Let the stub before InfluxDB misbehave."""

    def strike(rig: Rig, _: random.Random) -> Heal:
        rig.stub.mood = mood
        return rig.stub.be_honest

    return strike


def on_pair(pair: str, do: Callable[[Proxy], None]) -> Strike:
    """Do something to the proxy between two parts."""

    def strike(rig: Rig, _: random.Random) -> Heal:
        proxy: Proxy = getattr(rig, pair)
        do(proxy)
        return proxy.heal

    return strike


def poison_reading(rig: Rig, _: random.Random) -> Heal:
    """Post one reading that InfluxDB refuses for good, among good ones."""
    rig.post_poison()
    return nothing


def fill_disk(rig: Rig, _: random.Random) -> Heal:
    """Leave no byte on the disk under the outbox."""
    assert rig.disk, "only root has a disk to fill"
    rig.disk.fill()
    return rig.disk.free


def _toxics() -> dict[str, Callable[[Proxy], None]]:
    def apply(toxic: Toxic, directions: tuple[Direction, ...]) -> Callable[[Proxy], None]:
        return lambda proxy: proxy.poison(toxic, directions)

    one_way = {
        f"{name}{suffix}": apply(toxic, directions)
        for name, toxic in HALVES.items()
        for suffix, directions in DIRECTIONS.items()
    }
    return one_way | {name: apply(toxic, BOTH) for name, toxic in WHOLES.items()}


def _on_pair(pair: str, part: Part) -> list[Fault]:
    parts = frozenset({part})
    return [
        Fault(f"cut {pair}", parts, on_pair(pair, Proxy.cut), (0.3, 4.0)),
        Fault(f"reset {pair}", parts, on_pair(pair, Proxy.reset), (0.0, 1.0)),
        *(
            Fault(f"{name} {pair}", parts, on_pair(pair, toxic), (0.3, 5.0))
            for name, toxic in _toxics().items()
        ),
    ]


PAIRS: dict[str, Part] = {
    "device_side": "devices",
    "collector_side": "collector",
    "bridge_side": "bridge",
    "influx_side": "influx",
}
PAIR_FAULTS = {pair: _on_pair(pair, part) for pair, part in PAIRS.items()}
"""What happens to the connection between two parts."""

SERVICE_FAULTS: list[Fault] = [
    *(Fault(f"SIGKILL {name}", frozenset({name}), kill(name)) for name in SERVICES),
    *(Fault(f"SIGKILL thrice {name}", frozenset({name}), kill(name, 3)) for name in SERVICES),
    *(Fault(f"SIGTERM {name}", frozenset({name}), stop(name)) for name in SERVICES),
    *(Fault(f"SIGSTOP {name}", frozenset({name}), pause(name), (0.5, 20)) for name in SERVICES),
    Fault("broker wiped", frozenset({"broker"}), wipe),
    Fault("session lost", frozenset({"bridge", "broker"}), lose_session, (0, 0)),
    Fault("InfluxDB away", frozenset({"influx"}), kill("influx"), (5, 20)),
    *(Fault(f"InfluxDB answers {m}", frozenset({"influx"}), answer(m), (0.5, 6)) for m in MOODS),
    Fault("poison reading", frozenset({"devices"}), poison_reading, (0, 0)),
    Fault("disk full", frozenset({"collector"}), fill_disk, (0.5, 5)),
]
"""What happens to the four services."""

INSTANT_FAULTS: list[Fault] = [
    Fault(f"SIGKILL {instant}", frozenset({name}), at_instant(name, instant), (2, 5))
    for instant in INSTANTS
    for name in SERVICES
    if instant.startswith(name)
]
"""Deaths between two steps that belong together."""

FAULTS = [*SERVICE_FAULTS, *INSTANT_FAULTS, *chain.from_iterable(PAIR_FAULTS.values())]
