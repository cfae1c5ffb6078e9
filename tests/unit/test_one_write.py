"""An answer's head and body leave together, whatever else happens in that turn of the loop."""

import asyncio
from typing import Any, cast

from collector.one_write import Joining


class Wire:
    """A transport that keeps what was sent in one piece each."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.sent.append(data)

    def close(self) -> None:
        """Note it."""
        self.closed = True

    def is_closing(self) -> bool:
        """Whether it was closed, from either side."""
        return self.closed


def after(*steps: str) -> Wire:
    """Return the wire after steps of one turn: bytes written through, `close`, or `cut`."""
    wire = Wire()

    async def turn() -> None:
        joining = Joining(cast("Any", wire))
        for step in steps:
            if step == "close":
                joining.close()
            elif step == "cut":
                wire.closed = True
            else:
                joining.write(step.encode())
        await asyncio.sleep(0)

    asyncio.run(turn())
    return wire


def test_head_and_body_leave_in_one_piece() -> None:
    assert after("head", "body").sent == [b"headbody"]


def test_closing_sends_what_was_written() -> None:
    wire = after("head", "body", "close")
    assert wire.sent == [b"headbody"]
    assert wire.closed


def test_nothing_is_sent_to_a_client_that_has_gone() -> None:
    assert after("head", "cut").sent == []
