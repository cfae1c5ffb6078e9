"""The bridge's settings; each field is an environment variable in capitals."""

import socket
from typing import Annotated, Literal

from msgspec import Meta

from bridge import keeping
from telemetry.brokers import topic_fault
from telemetry.settings import ConnectionSettings, SettingError, Text

_Port = Annotated[int, Meta(ge=0, le=65535, description="a port from 1 to 65535, or 0 for none")]

_BRIDGE_ID = "a name of up to 100 characters without / + # $ and control characters, or none"


class Settings(ConnectionSettings, frozen=True, kw_only=True):
    """Settings of `python -m bridge`."""

    # The MQTT client id, and a level of the status topic; empty: this host's name.
    bridge_id: Annotated[str, Meta(pattern=r"\A[^/+#$]{0,100}\Z", description=_BRIDGE_ID)] = (
        "bridge"
    )
    # In one write.
    batch_max: Annotated[int, Meta(ge=1, description="a number of readings, at least 1")] = 5000
    # Of GET /metrics.
    bridge_metrics_host: Text = "localhost"
    bridge_metrics_port: _Port = 0
    # Of a cluster: how many nodes must have a write before it counts; empty: as InfluxDB decides.
    influx_consistency: Annotated[
        Literal["", "any", "one", "quorum", "all"],
        Meta(description="any, one, quorum or all, or nothing"),
    ] = ""
    # Of a cluster: on how many nodes each reading is.
    influx_replication: Annotated[
        int, Meta(ge=1, le=1000, description="a number of nodes from 1 to 1000")
    ] = 1
    # Of accounts that the bridge makes in InfluxDB, and which only read; empty: it makes none.
    influx_auditor_password: str = ""
    influx_grafana_password: str = ""
    # How long readings are kept: 30d, 8w, INF; empty: as InfluxDB is told otherwise.
    retention: str = ""
    # Intervals, and how long their means are kept: 1m:90d,1h; empty: none.
    rollups: str = ""

    def __post_init__(self) -> None:
        """Raise SettingError for values that cannot be used, also of the connections."""
        super().__post_init__()
        if not self.bridge_id.isprintable():
            raise SettingError("BRIDGE_ID", self.bridge_id, f"expected {_BRIDGE_ID}")
        if fault := topic_fault(self.mqtt_broker, self.name):
            raise SettingError("BRIDGE_ID", self.name, fault)
        _ = self.rollups_kept

    @property
    def name(self) -> str:
        """The bridge's own; if it is the host's, the next one may have another."""
        return self.bridge_id or socket.gethostname()

    @property
    def retention_s(self) -> int | None:
        """How long readings are kept; 0: for ever; None: untouched."""
        try:
            return keeping.retention_s(self.retention)
        except ValueError as error:
            raise SettingError("RETENTION", self.retention, str(error)) from None

    @property
    def rollups_kept(self) -> list[keeping.Rollup]:
        """The roll-ups, finest first."""
        raw_s = self.retention_s
        try:
            return keeping.rollups(self.rollups, raw_s)
        except ValueError as error:
            raise SettingError("ROLLUPS", self.rollups, str(error)) from None

    @property
    def influx_readers(self) -> dict[str, str]:
        """The passwords of these accounts by name."""
        return {
            "auditor": self.influx_auditor_password,
            "grafana": self.influx_grafana_password,
        }
