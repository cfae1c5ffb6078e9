"""Who has sent a message, and of which sensors its readings may be."""

from collections.abc import Callable

import msgspec

from collector.access.identities import Identities
from collector.access.identity import Identity
from collector.access.rates import RateExceeded, RateLimit
from collector.access.series import SeriesLimit, TooManySeries
from collector.devices.payload import Taken
from collector.devices.refusal import Refusal
from collector.intake.errors import InvalidReadings
from collector.intake.faults import Fault
from collector.intake.labels import Labels
from telemetry import topics
from telemetry.faults import shortened

_NOT_FROM = frozenset(topics.ROOTS) - {topics.DEVICES}
_TOPIC = "the topic is not from/<name>/devices/<sensor_id> or from/<name>/<topic of a known format>"


class _Sensor(msgspec.Struct):
    sensor_id: msgspec.Raw


_sensor = msgspec.json.Decoder(_Sensor)


class Senders:
    """The broker sees to it that only NAME publishes below from/NAME/, not what a payload names.

    On devices/ the collector does not learn who has sent a message, only that the sender may send
    for the sensor of the topic.
    """

    def __init__(
        self, identities: Identities, series: SeriesLimit, rate_limit: RateLimit, labels: Labels
    ) -> None:
        self._labels = labels
        self._identities = identities
        self._series = series
        self._rate_limit = rate_limit

    def of(self, topic: str) -> tuple[Identity | None, str]:
        """Return the sender, None if its name is not known, and the topic without from/NAME/.

        Raises Refusal for a topic below from/ that is nobody's, or of no device. It is not
        answered: the name is anything that a stranger has thought of.
        """
        name, rest = topics.sent_by(topic)
        if name is None:
            return None, topic
        identity = self._identities.named(name)
        if identity is None:
            raise Refusal(f"name {shortened(name)!r} is no identity of this collector")
        if not rest or rest.partition("/")[0] + "/" in _NOT_FROM:
            raise Refusal(_TOPIC)
        return identity, rest

    def check(self, sender: Identity | None, taken: Taken, *, is_limited: bool) -> None:
        """Raise Refusal if one of the readings is of a sensor that the sender may not send for.

        Or if the broker cannot carry it; or if it begins a series, and its sender, or the sensor of
        the topic, has too many; or if `is_limited`, and it is above the rate. What is taken counts
        for the rate.

        Only an answer's level, `taken.sensor`, comes from a topic on devices/. The other topics
        that have no sender may be written only by those who may send for every sensor.
        """
        if sender is not None:
            detail = f"is none of the sensors of {sender.name}"
            _check(taken, sender.may_send, detail)
        elif taken.sensor and not self._identities.anonymous_allowed:
            detail = (
                f"must be the topic's, {taken.sensor}: readings of several sensors go to"
                f" from/<name>/devices/{taken.sensor}, with the name of an identity"
            )
            _check(taken, taken.sensor.__eq__, detail)
        spender = self._spender(sender, taken) if is_limited and taken.drafts else None
        try:
            self._labels.check(taken.drafts)
            if spender is not None:
                self._rate_limit.check(spender)
            self._series.claim(self._claimant(sender, taken), taken.drafts)
        except InvalidReadings as invalid:
            raise Refusal(str(invalid), taken.sensor, taken.ref, invalid.faults) from None
        except TooManySeries as error:
            raise Refusal(str(error), taken.sensor, taken.ref) from None
        except RateExceeded as error:
            wait_s = error.wait_s
            reason = f"{error}; send it again in {wait_s} s"
            raise Refusal(reason, taken.sensor, taken.ref, retry_after=wait_s) from None
        if spender is not None:
            self._rate_limit.spend(spender, len(taken.drafts))

    def _claimant(self, sender: Identity | None, taken: Taken) -> str:
        """Return who has the series: a name, a topic's sensor, or "" for everybody without one."""
        if sender is not None:
            return sender.name
        return "" if self._identities.anonymous_allowed else f"/{taken.sensor}"  # which is no name

    def _spender(self, sender: Identity | None, taken: Taken) -> str:
        """Return whose rate it is: a name, or where nobody is known, that of the sensor."""
        sensor = taken.sensor or taken.drafts[0].series.partition("/")[0]
        owner = sender or self._identities.owner(sensor)
        return owner.name if owner else f"/{sensor}"  # which is no name


def _check(taken: Taken, may_send: Callable[[str], bool], detail: str) -> None:
    faults: list[Fault] = [
        {
            "index": index,
            "detail": detail,
            "field": "sensor_id",
            "value": bytes(_sensor.decode(one.body).sensor_id).decode(),
        }
        for index, one in enumerate(taken.drafts)
        if not may_send(one.series.partition("/")[0])
    ]
    if faults:
        more = f"; {len(faults)} faults in all" if len(faults) > 1 else ""
        reason = f"sensor_id {faults[0]['value']} {detail}{more}"
        raise Refusal(reason, taken.sensor, taken.ref, faults)
