"""The MQTT topics: how they are named and read."""

DEVICES = "devices/"
ACCEPTED = "accepted/"
REFUSED = "refused/"
FROM = "from/"
TO = "to/"
READINGS = "readings/"
REPLAY = "replay/"
RECEIPTS = "receipts/"
REJECTED = "rejected/"
STATUS = "status/"
ROOTS = (DEVICES, ACCEPTED, REFUSED, FROM, TO, READINGS, REPLAY, RECEIPTS, REJECTED, STATUS)


def status(service: str, instance: str) -> str:
    """Return the topic of a service's status."""
    return f"{STATUS}{service}/{instance}"


def labels(topic: str) -> tuple[str, str]:
    """Return the two levels below the first: (sensor_id, type) of readings/<sensor_id>/<type>.

    Raises ValueError when the topic does not have three levels.
    """
    try:
        _, first, second = topic.split("/")
    except ValueError:
        raise ValueError(f"topic {topic!r} is not readings/<sensor_id>/<type>") from None
    return first, second
