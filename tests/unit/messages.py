"""Messages as the broker delivers them, and the labels that their topics may have."""

from hypothesis import strategies as st

from telemetry.mqtt import Message
from telemetry.reading import label_fault

_CHARACTERS = st.characters(exclude_categories=["Cs"]) | st.sampled_from(",= \\\"'éa1$")
LABELS = st.text(_CHARACTERS, min_size=1, max_size=64).filter(lambda label: not label_fault(label))

TOPIC = "readings/123/temp"


def reading_payload(ns: int, value: int = 1, seq: int = 1) -> bytes:
    """Return what a collector publishes on TOPIC; `ns` is below a second."""
    ts = b"1970-01-01T00:00:00.%09dZ" % ns
    text = b'{"id":"outbox:%d","ts":"%b","type":"temp","value":%d,"sensor_id":123}'
    return text % (seq, ts, value)


def message(payload: str | bytes, topic: str = TOPIC, *, mid: int = 1, epoch: int = 1) -> Message:
    """Return a message at QoS 1."""
    content = payload.encode() if isinstance(payload, str) else payload
    return Message(topic, content, mid=mid, qos=1, retain=False, epoch=epoch)
