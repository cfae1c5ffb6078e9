"""The bridge's settings; each field is an environment variable in capitals."""

from typing import Annotated

from msgspec import Meta

from telemetry.settings import ConnectionSettings, Positive


class Settings(ConnectionSettings, frozen=True, kw_only=True):
    """Settings of `python -m bridge`."""

    # The MQTT client id, under which the broker keeps the session, and a level of the status topic.
    bridge_id: Annotated[str, Meta(pattern="^[^/+#$]+$")] = "bridge"
    batch_max: Positive = 5000  # readings in one write
