"""The bridge's settings; every field is an environment variable in capitals."""

from telemetry.settings import ConnectionSettings, Positive, Text


class Settings(ConnectionSettings, frozen=True, kw_only=True):
    """Settings of `python -m bridge`."""

    bridge_id: Text = "bridge"  # its MQTT client id: the broker keeps a session under this name
    batch_max: Positive = 5000  # points in one write to InfluxDB
