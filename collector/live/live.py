"""What the page is made of."""

from typing import NamedTuple, Self

from collector.live.history import History
from collector.live.hub import Hub
from collector.settings import Settings


class Live(NamedTuple):
    """What is on the broker now, and what InfluxDB holds of it."""

    hub: Hub
    history: History

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(Hub(settings), History(settings.influx))
