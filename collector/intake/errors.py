"""Why a body is not accepted."""

from collector.intake.faults import Fault, summary

MAX_READINGS = 10_000
"""Of one request: they are checked in one turn of the event loop, in less than 200 ms."""


class NotJson(ValueError):
    """The content is not JSON, holds no reading, or something of which one would be lost."""


class TooManyReadings(ValueError):
    """More readings in one request than are taken at once."""

    def __init__(self) -> None:
        super().__init__(f"more than {MAX_READINGS} readings in one request; send smaller batches")


class InvalidReadings(ValueError):
    """The content is JSON, but not that of valid readings; `faults` lists what is wrong."""

    def __init__(self, faults: list[Fault], *, are_all: bool = True) -> None:
        super().__init__(summary(faults, are_all=are_all))
        self.faults = faults
