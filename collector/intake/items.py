"""The readings of a request as they were sent, each with its place."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

_LINE = re.compile(rb"\S[^\n]*")
_array = msgspec.json.Decoder(list[msgspec.Raw])


class Item(NamedTuple):
    """What should be a reading: its position from 0, in NDJSON its line from 1, its JSON."""

    position: int
    line: int | None
    text: bytes

    @property
    def place(self) -> str:
        return f"index {self.position}" if self.line is None else f"line {self.line}"


def is_array(content: bytes) -> bool:
    """Return whether a body that is not NDJSON begins as a JSON array."""
    return content.lstrip(b" \t\r\n")[:1] == b"["


def lines_of(content: bytes) -> Iterator[bytes]:
    """Yield the lines of an NDJSON body that are not blank."""
    return (match[0] for match in _LINE.finditer(content))


def items_of(content: bytes, *, lines: bool) -> Iterator[Item]:
    """Yield the items of a body; msgspec's errors for an array that is not JSON."""
    if lines:
        line, counted = 1, 0
        for index, match in enumerate(_LINE.finditer(content)):
            line += content.count(b"\n", counted, match.start())
            counted = match.start()
            yield Item(index, line, match[0])
    elif is_array(content):
        for index, raw in enumerate(_array.decode(content)):
            yield Item(index, None, bytes(raw))
    else:
        yield Item(0, None, content)
