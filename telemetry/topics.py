"""The names of the MQTT topics, and how a topic is read back."""

READINGS = "readings/"
REPLAY = "replay/"
RECEIPTS = "receipts/"
REJECTED = "rejected/"
STATUS = "status/"


def status(service: str, instance: str) -> str:
    """Return the topic on which a service says how it is."""
    return f"{STATUS}{service}/{instance}"


def labels(topic: str) -> tuple[str, str]:
    """Return (sensor_id, type) of a topic readings/<sensor_id>/<type>, or of replay/….

    Raises ValueError when the topic has another number of levels.
    """
    try:
        _, sensor_id, type_ = topic.split("/")
    except ValueError:
        raise ValueError(f"topic {topic!r} is not readings/<sensor_id>/<type>") from None
    return sensor_id, type_
