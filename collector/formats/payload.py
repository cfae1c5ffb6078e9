"""Payloads as text and as JSON, with errors for those who see them for the first time."""

import json

from collector.intake import exact
from collector.intake.not_json import reason
from telemetry.printable import printable
from telemetry.reading import RepeatedMember

_MAX_SHOWN = 60


def text_of(payload: bytes) -> str:
    """Return a payload that is one value as text; raises ValueError."""
    try:
        return payload.decode().strip()
    except UnicodeDecodeError:
        raise ValueError(f"expected a text such as 21.5{shown(payload)}") from None


def json_of(payload: bytes) -> object:
    """Return a decoded JSON payload; raises ValueError, also for a repeated member."""
    try:
        decoded: object = exact.loads(payload)
    except (exact.TooManyDigits, RepeatedMember):
        raise
    except (ValueError, RecursionError) as error:
        why = reason(payload, error)
        raise ValueError(f'expected JSON, such as {{"t": 2.5}}{shown(payload)}: {why}') from None
    return decoded


def shown(found: object) -> str:
    """Return the end of an error: what was found, shortened."""
    text = (
        found.decode(errors="replace")
        if isinstance(found, bytes)
        else json.dumps(found, ensure_ascii=False)
    )
    return f", found {printable(text[: _MAX_SHOWN + 1], _MAX_SHOWN) or 'nothing'}"
