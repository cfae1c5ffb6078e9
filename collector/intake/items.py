"""The readings of a request as they were sent, each with its place."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

_LINE = re.compile(rb"[^ \t\r\n][^\n]*")  # these four are blank in JSON
_array = msgspec.json.Decoder(list[msgspec.Raw])


class Item(NamedTuple):
    """What should be a reading: its position from 0, in NDJSON its line from 1, its JSON."""

    position: int
    line: int | None
    text: bytes
    is_body: bool = False
    """Whether it is all that was sent."""

    @property
    def place(self) -> str:
        if self.is_body:
            return "the body"
        return f"index {self.position}" if self.line is None else f"line {self.line}"


def is_array(content: bytes) -> bool:
    """Return whether a body that is not NDJSON begins as a JSON array."""
    return content.lstrip(b" \t\r\n")[:1] == b"["


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
        yield Item(0, None, content, is_body=True)
