"""A message that was published and is not acknowledged, as paho-mqtt keeps it."""

from paho.mqtt.client import MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import MessageState
from paho.mqtt.properties import Properties


class Outgoing(MQTTMessage):
    """An unacknowledged QoS 1 message, in the state in which paho redelivers it on reconnect."""

    __slots__ = ()
    # Shadow the slots of the same names: constants need not be set on each instance.
    qos = 1
    properties: Properties | None = None
    info = MQTTMessageInfo(0)

    def __init__(self, mid: int, topic: bytes, payload: bytes, *, retain: bool) -> None:
        # Not super().__init__(): it makes an MQTTMessageInfo with a threading.Condition.
        self.mid = mid
        self._topic = topic
        self.payload = payload
        self.retain = retain
        self.dup = False
        self.state = MessageState.MQTT_MS_WAIT_FOR_PUBACK
