"""Faults of all kinds at random times, several at once, under load; checked in rounds."""

import random
import time
from collections import Counter
from collections.abc import Callable

from tests.chaos.checker import Findings
from tests.chaos.fault import Fault, Heal, Part
from tests.chaos.faults import CRASH_FAULTS, DATABASE_FAULTS, FAULTS, SERVICE_FAULTS, SERVICES
from tests.chaos.rig import Rig

ROUND_S = 90.0
"""How long faults are injected before all are healed and the pipeline is drained and checked."""
BETWEEN_S = (0.5, 3.0)
DRAIN_S = 120.0
BY_MQTT = 0.25
"""How many readings are published by MQTT for each one that is posted."""


class Mix:
    """A run of mixed faults; the seed determines which, when and for how long."""

    def __init__(self, rig: Rig, *, seed: int, log: Callable[[str], None]) -> None:
        self.injected: Counter[str] = Counter()
        self._rig = rig
        self._rng = random.Random(seed)
        self._log = log
        self._next: list[Fault] = []
        self._active: list[tuple[float, Fault, Heal]] = []
        self._problems: list[str] = []
        self._begin = time.monotonic()

    def run(self, seconds: float, *, rate: float) -> Findings:
        """Inject faults under `rate` readings per second; stop after a round with a violation."""
        end = time.monotonic() + seconds
        while True:
            with self._rig.load(rate), self._rig.mqtt_load(rate * BY_MQTT):
                self._inject_until(min(end, time.monotonic() + ROUND_S))
            findings = self._rig.check(DRAIN_S)
            for problem in self._problems:
                findings.add("service failed", problem)
            for problem in self._rig.check_commands():
                findings.add("books", problem)
            self._log(f"checked after {self.injected.total()} faults\n{findings}")
            if not findings.clean or time.monotonic() >= end:
                return findings

    def _inject_until(self, end: float) -> None:
        next_injection = time.monotonic() + self._rng.uniform(*BETWEEN_S)
        while (now := time.monotonic()) < end:
            self._heal_due(now)
            if now >= next_injection:
                self._inject_one()
                next_injection = time.monotonic() + self._rng.uniform(*BETWEEN_S)
            due = [at for at, _, _ in self._active]
            time.sleep(max(0, min([next_injection, end, *due]) - time.monotonic()))
        self._heal_due(float("inf"))

    def _inject_one(self) -> None:
        taken = {part for _, active, _ in self._active for part in active.parts}
        for problem in restart_the_dead(self._rig, taken):
            self._log(problem)
            self._problems.append(problem)
        fault = self._draw(taken)
        if fault is None:
            return
        seconds = self._rng.uniform(*fault.seconds)
        self._log(f"{time.monotonic() - self._begin:7.1f} s  {fault.kind} for {seconds:.1f} s")
        self.injected[fault.kind] += 1
        try:
            heal = fault.inject(self._rig, self._rng)
        except AssertionError as error:
            self._problems.append(f"{fault.kind}: {error}")
            return
        self._active.append((time.monotonic() + seconds, fault, heal))

    def _draw(self, taken: set[Part]) -> Fault | None:
        """Return the next fault that affects none of the parts `taken`."""
        if not self._next:
            # There are more kinds of proxy faults; this makes the others about as frequent.
            every = FAULTS + SERVICE_FAULTS + DATABASE_FAULTS + CRASH_FAULTS
            possible = [f for f in every if self._rig.disk or not f.needs_disk]
            self._next = self._rng.sample(possible, len(possible))
        for fault in self._next:
            if taken.isdisjoint(fault.parts):
                self._next.remove(fault)
                return fault
        return None

    def _heal_due(self, now: float) -> None:
        for active in sorted(self._active, key=lambda active: active[0]):
            at, _, heal = active
            if at <= now:
                self._active.remove(active)
                heal()


def restart_the_dead(rig: Rig, taken: set[Part]) -> list[str]:
    """Start the services that have ended though no fault has `taken` them; return what to report.

    Otherwise a later fault would start them and hide it.
    """
    dead = [name for name in SERVICES if name not in taken and not rig.service(name).running]
    for name in dead:
        rig.service(name).start()
    return [f"{name} has ended: see {rig.service(name).log}" for name in dead]
