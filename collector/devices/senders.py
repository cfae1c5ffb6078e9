"""Who has sent a message: what its topic says, for which the broker's rules vouch."""

from collector.access.identities import Identities
from collector.access.identity import Identity
from collector.devices.payload import Taken
from collector.devices.refusal import Refusal
from telemetry import topics


class Senders:
    """What the senders of messages may send.

    An identity publishes at devices/<sensor_id> what the broker lets it, by the sensor's whole
    name. At from/<name>/… it may publish anything, which is checked here by its patterns.
    """

    def __init__(self, identities: Identities) -> None:
        self._identities = identities

    def of(self, topic: str) -> tuple[Identity | None, str]:
        """Return who says its name in a topic, if anybody does, and the topic without it.

        Raises Refusal for a name that no identity has.
        """
        if not topic.startswith(topics.FROM):
            return None, topic
        name, _, rest = topic.removeprefix(topics.FROM).partition("/")
        if sender := self._identities.named(name):
            return sender, rest
        raise Refusal(f"no identity has the name {name!r}")

    def check(self, sender: Identity | None, taken: Taken) -> None:
        """Raise Refusal for the first reading that its sender may not send."""
        if sender is None and (self._identities.anonymous_allowed or not taken.sensor):
            return
        for index, one in enumerate(taken.drafts):
            sensor_id = one.series.partition("/")[0]
            if sender:
                is_allowed = sender.may_send(sensor_id)
                detail = f"is not one of {sender.name}'s"
            else:
                is_allowed = sensor_id == taken.sensor
                detail = f"must be the topic's, {taken.sensor}; for others publish at from/<user>/"
            if not is_allowed:
                fault = {"field": "sensor_id", "value": sensor_id, "detail": detail, "index": index}
                why = f"sensor_id {sensor_id!r} {detail}"
                raise Refusal(why, taken.sensor, taken.ref, [fault])


def answer_topic(topic: str, root: str, sensor: str) -> str:
    """Return where a message is answered: `root` is ACCEPTED or REFUSED, `sensor` the last level.

    What was sent from/<name>/… is answered to/<name>/….
    """
    if not topic.startswith(topics.FROM):
        return root + sensor
    name = topic.removeprefix(topics.FROM).partition("/")[0]
    return f"{topics.TO}{name}/{root}{sensor}"
