"""What the broker cannot carry as a level of a topic, among valid labels."""

from collections.abc import Sequence
from functools import lru_cache

from collector.intake.errors import InvalidReadings
from collector.intake.faults import Fault
from collector.outbox.row import Draft
from telemetry.brokers import BROKERS, Rule
from telemetry.faults import shortened


class Labels:
    """The rule of a kind of broker, which is a key of BROKERS."""

    def __init__(self, broker: str) -> None:
        self._rule = BROKERS[broker]

    def check(self, drafts: Sequence[Draft]) -> None:
        """Raise InvalidReadings for readings that the broker cannot carry."""
        if not (rule := self._rule):
            return
        found = [
            {"index": index, **fault}
            for index, draft in enumerate(drafts)
            for fault in _faults(rule, draft.series)
        ]
        if found:
            raise InvalidReadings(found)


# Once for all readings of a series.
@lru_cache(maxsize=65536)
def _faults(rule: Rule, series: str) -> tuple[Fault, ...]:
    return tuple(
        {"detail": why, "field": field, "value": shortened(level)}
        for field, level in zip(("sensor_id", "type"), series.split("/"), strict=True)
        if (why := rule(level))
    )
