"""The bridge's settings; each field is an environment variable in capitals."""

from typing import Annotated

from msgspec import Meta

from telemetry.settings import ConnectionSettings, Text

_Port = Annotated[int, Meta(ge=0, le=65535, description="a port from 1 to 65535, or 0 for none")]


class Settings(ConnectionSettings, frozen=True, kw_only=True):
    """Settings of `python -m bridge`."""

    # The MQTT client id, and a level of the status topic.
    bridge_id: Annotated[
        str, Meta(pattern="^[^/+#$]+$", description="a name without / + # $, and not empty")
    ] = "bridge"
    # In one write.
    batch_max: Annotated[int, Meta(ge=1, description="a number of readings, at least 1")] = 5000
    # Of GET /metrics.
    bridge_metrics_host: Text = "localhost"
    bridge_metrics_port: _Port = 0
    # Of accounts that the bridge makes in InfluxDB, and which only read; empty: it makes none.
    influx_auditor_password: str = ""
    influx_grafana_password: str = ""

    @property
    def influx_readers(self) -> dict[str, str]:
        """The passwords of these accounts by name."""
        return {
            "auditor": self.influx_auditor_password,
            "grafana": self.influx_grafana_password,
        }
