"""What a fault is."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.chaos.rig import Rig

Part = Literal["devices", "collector", "broker", "bridge", "influx"]
Heal = Callable[[], None]
Inject = Callable[[Rig, random.Random], Heal]


@dataclass(frozen=True)
class Fault:
    """One kind of fault. Two are injected at once only when they affect different parts."""

    kind: str
    parts: frozenset[Part]
    inject: Inject
    seconds: tuple[float, float] = (0.5, 4.0)
    """The shortest and longest time until it is healed."""
    needs_disk: bool = False
    """Whether it fills a disk, which only root can mount."""


def nothing_to_heal() -> None:
    pass
