"""The table of series, drawn by rich."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from collector.watch.newest import NewestReadings, Row

LINES_AROUND = 2  # the heading, the footer
_UNITS_S = (("d", 86_400), ("h", 3600), ("min", 60))


def draw(readings: NewestReadings, limit: int, notice: str) -> Group:
    """Return a table of the `limit` series that changed last, and a footer with `notice` first.

    Each has one line. Names become Text, in which nothing is markup.
    """
    rows = readings.rows(limit)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("sensor", "type"):
        # Where the width is not enough, these are cut first.
        table.add_column(heading, min_width=8)
    for heading in ("value", "age", "per second"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in _cells(row)))
    footer = _footer(readings, len(readings) - len(rows), notice)
    return Group(table, Text(footer, style="dim", no_wrap=True, overflow="ellipsis"))


def _cells(row: Row) -> tuple[str, ...]:
    return row.sensor_id, row.type, f"{row.value:.12g}", _age(row.age_s), f"{row.rate:.1f}"


def _age(seconds: float) -> str:
    """Return an age in its largest unit; that of a timestamp ahead of the clock is negative."""
    for unit, length in _UNITS_S:
        if abs(seconds) >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def _footer(readings: NewestReadings, hidden: int, notice: str) -> str:
    parts = [notice] if notice else []
    if hidden:
        parts.append(f"… and {hidden} more")
    parts.append(f"{len(readings)} series")
    if readings.unreadable:
        parts.append(f"unreadable: {readings.unreadable}")
    return " · ".join(parts)
