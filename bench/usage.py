"""CPU time and memory of processes, as counted by the kernel."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_US = 1e6


class Usage(NamedTuple):
    """The CPU seconds of each process since its start, at a moment (time.monotonic, s)."""

    at: float
    cpu_s: dict[str, float]


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process, its threads and its children have used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    return own + sum(map(cpu_s, _children(pid)))


def usage(pids: Mapping[str, int]) -> Usage:
    """Return what the processes have used so far."""
    return Usage(time.monotonic(), {name: cpu_s(pid) for name, pid in pids.items()})


def per_reading(before: Usage, after: Usage, readings: int) -> dict[str, float]:
    """Return the CPU time per reading (µs) of each process between two measurements."""
    return {
        name: (used - before.cpu_s[name]) / max(readings, 1) * _US
        for name, used in after.cpu_s.items()
    }


def peak_mb(pid: int) -> float:
    """Return the peak resident memory of a process and its children in MB (10^6 bytes)."""
    children = sum(map(peak_mb, _children(pid)))
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return children + int(line.split()[1]) * 1024 / 1e6
    return children


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
