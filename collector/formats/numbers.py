"""Numbers in what devices send: those of JSON, words such as ON, and numbers as text."""

import re
from collections.abc import Iterator, Mapping

from collector.intake.exact import TooSmall, real
from telemetry.reading import is_finite

# Beyond it reading a number would take too long; see collector.intake.exact.
_MAX_DIGITS = 400
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_MAX_DEPTH = 16
# Of a name that is put together; a type has at most 64.
_MAX_NAME = 128


def number(
    value: object, words: Mapping[str, float], *, booleans: bool = False, texts: bool = False
) -> float | None:
    """Return a decoded value as a finite number; None if it is none.

    `words` are texts that stand for numbers; with `booleans` true and false are 1 and 0, with
    `texts` a text like "21.5" counts.
    """
    if isinstance(value, bool):
        return int(value) if booleans else None
    if isinstance(value, str):
        value = words.get(value, _of_text(value) if texts else None)
    if isinstance(value, int | float) and not isinstance(value, TooSmall):  # which would be 0
        return value if is_finite(value) else None
    return None


def _of_text(text: str) -> float | None:
    if len(text) > _MAX_DIGITS or not _NUMBER.fullmatch(text):
        return None
    return int(text) if text.lstrip("+-").isdecimal() else real(text)


def leaves(value: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """Yield what is no object and no array, with its name: those on the way to it, joined by _.

    The elements of an array are numbered from 0. Raises ValueError when it is nested too deeply.
    An expression may have multiplied what it found, so whoever iterates should stop somewhere.
    """
    if isinstance(value, dict):
        children = iter(value.items())
    elif isinstance(value, list):
        children = ((str(index), child) for index, child in enumerate(value))
    else:
        yield name, value
        return
    if depth == _MAX_DEPTH:
        raise ValueError(f"expected at most {_MAX_DEPTH} levels of nested objects and arrays")
    for key, child in children:
        yield from leaves(child, (f"{name}_{key}" if name else key)[:_MAX_NAME], depth + 1)
