"""Readings as CSV, in which no spreadsheet finds a formula."""

import csv
import io
import re
from collections.abc import Iterable

from telemetry import timestamp

HEADING = b"ts,type,value,sensor_id\r\n"
# The signs = + - @, in full width and small too. A cell also begins after a semicolon, where that
# separates them: in many languages it does, and the quotes of a field do not count then.
_FORMULA = re.compile(r'(^|;)(?=[\s"]*[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b])')


def lines(rows: Iterable[tuple[int, float]], type_: str, sensor_id: str) -> bytes:
    """Return the readings of a series, each (ns, value), as lines of CSV under HEADING."""
    type_, sensor_id = _harmless(type_), _harmless(sensor_id)
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC).writerows(
        (timestamp.render(ns), type_, value, sensor_id) for ns, value in rows
    )
    return text.getvalue().encode()


def _harmless(label: str) -> str:
    """Return a label with a ' before each thing in it that may be taken for a formula."""
    return _FORMULA.sub(r"\1'", label)
