"""The result as a Markdown table and as JSON with the same content."""

import os
import platform
import sqlite3
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.row import Goal, Limit, Row
from run.configuration import SEARCH_PATH

_PROCESSES = ("collector", "broker", "bridge", "database", "load")
_HEAD = (
    "workload",
    "stored/s",
    "limit/s",
    "of it",
    "answer p50",
    "p99",
    "stored p50",
    "p99 (ms)",
    *(f"{name} µs" for name in _PROCESSES),
    *(f"{name} MB" for name in _PROCESSES[:-1]),
    "violations",
)


class Report(msgspec.Struct):
    """The result of one run."""

    machine: dict[str, str]
    rows: dict[str, Row]
    limits: list[Limit]
    goals: list[Goal]
    missing: list[str] = []

    @property
    def violations(self) -> int:
        """How many violations there were."""
        return sum(len(row.violations) for row in self.rows.values())


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    cpu = [
        line.partition(": ")[2]
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return {
        "processors": f"{os.cpu_count()} x {cpu[0] if cpu else platform.machine()}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "mosquitto": _first_line("mosquitto", "-h"),
        "influxdb": _first_line("influxd", "version"),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def render(report: Report) -> str:
    """Return the report as Markdown."""
    lines = [f"{name}: {text}" for name, text in report.machine.items()]
    lines += ["", *_table([_HEAD, *(_cells(*item) for item in report.rows.items())]), ""]
    lines += ["Limits, measured in the same run:"]
    lines += [f"- {_limit(limit)}" for limit in report.limits]
    lines += ["", "Details:"]
    lines += [
        f"- {name}: " + ", ".join(f"{k} {v:,.1f}" for k, v in row.details.items())
        for name, row in report.rows.items()
        if row.details
    ]
    lines += [f"- {text}" for text in report.missing]
    lines += ["", *_table([("goal", "measured", ""), *map(_goal, report.goals)]), ""]
    lines += [
        f"violation in {name}: {text}"
        for name, row in report.rows.items()
        for text in row.violations
    ]
    return "\n".join([*lines, f"violations: {report.violations}"])


def _cells(name: str, row: Row) -> tuple[str, ...]:
    limit = row.limit.rate if row.limit else None
    return (
        name,
        f"{row.rate:,.0f}",
        _number(limit),
        f"{row.of_limit:.0%}" if row.of_limit else "",
        *(_number(ms, 1) for ms in (row.p50_ms, row.p99_ms, row.stored_p50_ms, row.stored_p99_ms)),
        *(_number(row.cpu_us.get(process), 1) for process in _PROCESSES),
        *(_number(row.peak_mb.get(process)) for process in _PROCESSES[:-1]),
        str(len(row.violations)),
    )


def _goal(goal: Goal) -> tuple[str, str, str]:
    word = {True: "reached", False: "missed", None: ""}[goal.reached]
    return goal.goal, goal.measured, word


def _limit(limit: Limit) -> str:
    rate = f"{limit.rate:,.0f}/s" if limit.rate else ""
    times = f"p50 {limit.p50_ms:.1f} ms, p99 {limit.p99_ms:.1f} ms" if limit.p50_ms else ""
    return f"{limit.name}: {', '.join(filter(None, (rate, times)))}"


def _number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]]


def _first_line(*argv: str) -> str:
    run = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={"PATH": SEARCH_PATH}
    )
    return run.stdout.splitlines()[0] if run.stdout else "?"
