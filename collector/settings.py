"""The collector's settings; every field is an environment variable in capitals."""

from typing import Annotated

from msgspec import Meta

from telemetry.settings import ConnectionSettings, Port, Positive, Text


class Settings(ConnectionSettings, frozen=True, kw_only=True):
    """Settings of `python -m collector` (the INFLUX_ ones serve to read back)."""

    collector_host: Text = "localhost"  # every loopback address, whatever resolvers say
    collector_port: Port = 1337
    outbox_path: Text = "outbox.db"
    outbox_max_bytes: Annotated[int, Meta(ge=1 << 20)] = 1 << 30
    outbox_keep_hours: Annotated[float, Meta(gt=0)] = 24  # for audit and replay --since
    max_body_bytes: Positive = 8 << 20
    max_connections: Positive = 10_000  # fewer where the file descriptors do not allow them
    tokens_file: str = ""  # empty: anyone who can reach the port may post
    stored_timeout_s: Annotated[float, Meta(gt=0, le=60)] = 5  # of POST /data?ack=stored
