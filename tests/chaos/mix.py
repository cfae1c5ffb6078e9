"""Faults of all kinds at random instants, several at once, under load; then the verdict."""

import random
import time
from collections import Counter
from collections.abc import Callable

from tests.chaos.checker import Findings
from tests.chaos.faults import FAULTS, INSTANT_FAULTS, SERVICE_FAULTS, Fault, Heal, Part
from tests.chaos.rig import Rig

ROUND_S = 90.0
"""How long faults strike before everything is healed, drained and checked."""
BETWEEN_S = (0.5, 3.0)
DRAIN_S = 120.0


class Mix:
    """A run of mixed faults; which, when and for how long follows from the seed."""

    def __init__(self, rig: Rig, *, seed: int, say: Callable[[str], None]) -> None:
        """`say` is told of each fault as it strikes."""
        self.struck: Counter[str] = Counter()
        self._rig = rig
        self._rng = random.Random(seed)
        self._say = say
        self._deck: list[Fault] = []
        self._raging: list[tuple[float, Fault, Heal]] = []
        self._complaints: list[str] = []
        self._begin = time.monotonic()

    def run(self, seconds: float, *, rate: float) -> Findings:
        """Strike for so long under `rate` readings a second; stop at the first violation."""
        end = time.monotonic() + seconds
        while True:
            with self._rig.load(rate):
                self._strike_until(min(end, time.monotonic() + ROUND_S))
            findings = self._rig.verdict(DRAIN_S)
            for complaint in self._complaints:
                findings.add("died", complaint)
            for complaint in self._rig.commands():
                findings.add("books", complaint)
            self._say(f"checked after {self.struck.total()} faults\n{findings}")
            if not findings.clean or time.monotonic() >= end:
                return findings

    def _strike_until(self, end: float) -> None:
        next_strike = time.monotonic() + self._rng.uniform(*BETWEEN_S)
        while (now := time.monotonic()) < end:
            self._heal_due(now)
            if now >= next_strike:
                self._strike_one()
                next_strike = time.monotonic() + self._rng.uniform(*BETWEEN_S)
            due = [at for at, _, _ in self._raging]
            time.sleep(max(0, min([next_strike, end, *due]) - time.monotonic()))
        self._heal_due(float("inf"))

    def _strike_one(self) -> None:
        fault = self._draw({part for _, raging, _ in self._raging for part in raging.parts})
        if fault is None:
            return
        seconds = self._rng.uniform(*fault.seconds)
        self._say(f"{time.monotonic() - self._begin:7.1f} s  {fault.kind} for {seconds:.1f} s")
        self.struck[fault.kind] += 1
        try:
            heal = fault.strike(self._rig, self._rng)
        except AssertionError as complaint:
            self._complaints.append(f"{fault.kind}: {complaint}")
            return
        self._raging.append((time.monotonic() + seconds, fault, heal))

    def _draw(self, taken: set[Part]) -> Fault | None:
        """Return the next fault of the deck that touches no part already struck."""
        if not self._deck:
            # The connections have more kinds than the services; strike each side as often.
            every = FAULTS + SERVICE_FAULTS + INSTANT_FAULTS
            possible = [f for f in every if f.kind != "disk full" or self._rig.disk]
            self._deck = self._rng.sample(possible, len(possible))
        for fault in self._deck:
            if taken.isdisjoint(fault.parts):
                self._deck.remove(fault)
                return fault
        return None

    def _heal_due(self, now: float) -> None:
        for raging in sorted(self._raging, key=lambda raging: raging[0]):
            if raging[0] <= now:
                self._raging.remove(raging)
                raging[2]()
