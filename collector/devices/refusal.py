"""Why a device's message is not taken, for the device and for its owner."""

from collections.abc import Sequence

from collector.intake.faults import Fault
from telemetry.decode import Unreadable


class Refusal(Unreadable):
    """A message that is not taken; the text says why, and what was expected.

    `sensor` is the level of the topic that the answer goes to, "" if there is none, and `ref` the
    message's own as JSON. `errors` lists what is wrong: `field`, `value` and `detail` of each, and
    in an array its `index`. `retry_after` is the time in seconds after which the same message may
    be taken; None: it never will be.
    """

    def __init__(
        self,
        reason: str,
        sensor: str = "",
        ref: bytes | None = None,
        errors: Sequence[Fault] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.sensor = sensor
        self.ref = ref
        self.errors: Sequence[Fault] = errors or [{"detail": str(self)}]
        self.retry_after = retry_after
