"""MQTT on the asyncio loop, at least once: what collector and bridge publish and receive with."""

from telemetry.mqtt.client import MqttClient
from telemetry.mqtt.errors import NotConnected
from telemetry.mqtt.paho_client import LARGEST_PACKET, Message
from telemetry.mqtt.sampler import Sampler
from telemetry.mqtt.temporary import temporary_client

__all__ = ["LARGEST_PACKET", "Message", "MqttClient", "NotConnected", "Sampler", "temporary_client"]
