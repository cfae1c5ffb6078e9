"""The MQTT topics: how they are named and read."""

DEVICES = "devices/"
ACCEPTED = "accepted/"
REFUSED = "refused/"
READINGS = "readings/"
REPLAY = "replay/"
RECEIPTS = "receipts/"
REJECTED = "rejected/"
STATUS = "status/"
FROM = "from/"
TO = "to/"
ROOTS = (DEVICES, ACCEPTED, REFUSED, READINGS, REPLAY, RECEIPTS, REJECTED, STATUS, FROM, TO)


def status(service: str, instance: str) -> str:
    """Return the topic of a service's status."""
    return f"{STATUS}{service}/{instance}"


def sent_by(topic: str) -> tuple[str | None, str]:
    """Return the name and the rest of from/<name>/<rest>; None and the topic for any other."""
    if not topic.startswith(FROM):
        return None, topic
    name, _, rest = topic.removeprefix(FROM).partition("/")
    return name, rest


def answers_for(topic: str) -> str:
    """Return what the topics of the answers to a message on `topic` begin with."""
    name, _ = sent_by(topic)
    return "" if name is None else f"{TO}{name}/"


def labels(topic: str) -> tuple[str, str]:
    """Return the two levels below the first: (sensor_id, type) of readings/<sensor_id>/<type>.

    Raises ValueError when the topic does not have three levels.
    """
    try:
        _, first, second = topic.split("/")
    except ValueError:
        raise ValueError(f"topic {topic!r} is not readings/<sensor_id>/<type>") from None
    return first, second
