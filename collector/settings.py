"""The collector's settings; every field is an environment variable in capitals."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from telemetry import topics
from telemetry.settings import ConnectionSettings, Port, SettingError, Text, is_loopback

_MAX_WORKERS = 64
_OWN = [root.rstrip("/") for root in topics.ROOTS]


class Settings(ConnectionSettings, frozen=True, kw_only=True):
    """Settings of `python -m collector` (the INFLUX_ ones serve to read back)."""

    collector_host: Text = "localhost"  # every loopback address, whatever resolvers say
    collector_port: Port = 1337
    # Processes that share the port, each with an outbox; auto: one for each core that it may use.
    collector_workers: Annotated[
        str,
        Meta(
            pattern=r"\A(auto|[1-9]|[1-5][0-9]|6[0-4])\Z",
            description=f"a number of processes from 1 to {_MAX_WORKERS}, or auto",
        ),
    ] = "1"
    outbox_path: Text = "outbox.db"  # the first: beside it are outbox-2.db and so on
    outbox_max_bytes: Annotated[
        int, Meta(ge=1 << 20, description="a number of bytes, at least 1048576 (1 MiB)")
    ] = 1 << 30
    # For audit and replay --since.
    outbox_keep_hours: Annotated[float, Meta(gt=0, description="a number of hours above 0")] = 24
    max_body_bytes: Annotated[int, Meta(ge=1, description="a number of bytes, at least 1")] = (
        8 << 20
    )
    # Fewer where the file descriptors do not allow them.
    max_connections: Annotated[
        int,
        Meta(ge=0, description="a number of connections, or 0 for 10000, with TLS 2000"),
    ] = 0
    # From one address that is not this machine's; 0: half of max_connections.
    max_connections_per_address: Annotated[
        int, Meta(ge=0, description="a number of connections, or 0 for half of MAX_CONNECTIONS")
    ] = 0
    # Of one sender: an identity, or without one an address; 0: any number.
    rate_limit: Annotated[
        float, Meta(ge=0, description="a number of readings per second, or 0 for any")
    ] = 0
    # New ones of one identity, or of all senders without one.
    max_series: Annotated[int, Meta(ge=1, description="a number of series, at least 1")] = 100_000
    formats: str = "all"  # names as in collector/formats/families; empty: nothing over MQTT
    formats_file: str = ""  # a TOML file with rules of one's own
    time_zone: Text = "UTC"  # of devices that send local times without an offset
    accounts_dir: str = ""  # empty: `accounts` beside the outbox
    bind_address: str = ""  # where the port can be reached; empty: where the collector listens
    allowed_origins: str = ""  # whose web pages may send readings, separated by commas; * is any
    # Of Grafana on this machine, for the link to it on the page; 0: there is none.
    grafana_port: Annotated[
        int, Meta(ge=0, le=65535, description="a port from 1 to 65535, or 0 for none")
    ] = 0
    # Of POST /data?ack=stored.
    stored_timeout_s: Annotated[
        float, Meta(gt=0, le=60, description="a number of seconds above 0 and up to 60")
    ] = 5
    # Where Home Assistant looks for sensors, which the collector announces there; empty: not.
    home_assistant_prefix: Annotated[
        str,
        Meta(
            pattern=rf"\A(?!({'|'.join(_OWN)})(/|\Z))([A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*)?\Z",
            max_length=100,
            description="a topic of up to 100 letters, digits, _ and -, in levels with a / between"
            f" them, of which the first is none of {', '.join(_OWN)}",
        ),
    ] = ""

    def __post_init__(self) -> None:
        """Raise SettingError for values that cannot be used, also of the connections."""
        super().__post_init__()
        outbox = Path(self.outbox_path)
        if os.path.isdir(outbox):  # noqa: PTH112  raises nothing
            raise SettingError("OUTBOX_PATH", self.outbox_path, "expected a file, not a directory")
        directories = {
            "OUTBOX_PATH": (self.outbox_path, outbox.parent),
            "ACCOUNTS_DIR": (self.accounts_dir, Path(self.accounts_dir)),
            "TLS_DIR": (self.tls_dir, Path(self.tls_dir)),
        }
        for key, (text, directory) in directories.items():
            for path in (directory, *directory.parents):
                if os.path.exists(path) and not os.path.isdir(path):  # noqa: PTH110, PTH112
                    expected = f"expected a path of directories: {path} is none"
                    raise SettingError(key, text, expected)

    @property
    def workers(self) -> int:
        """How many processes there are."""
        if self.collector_workers == "auto":
            return min(len(os.sched_getaffinity(0)), _MAX_WORKERS)
        return int(self.collector_workers)

    @property
    def certificates(self) -> Path:
        return Path(self.tls_dir or Path(self.outbox_path).with_name("tls"))

    @property
    def accounts(self) -> Path:
        """The directory of the identities."""
        return Path(self.accounts_dir or Path(self.outbox_path).with_name("accounts"))

    @property
    def connections(self) -> int:
        """How many connections there may be; with TLS one takes 30 KB, and up to 350 KB."""
        return self.max_connections or (2_000 if self.tls_names else 10_000)

    @property
    def opened(self) -> bool:
        """Whether others than this machine can reach the port."""
        return not is_loopback(self.bind_address or self.collector_host)


def refuse_tokens_file(environ: Mapping[str, str] = os.environ) -> None:
    """Raise SettingError for TOKENS_FILE, without which everybody could send readings."""
    if file := environ.get("TOKENS_FILE"):
        raise SettingError(
            "TOKENS_FILE",
            file,
            "tokens are identities now: write name,sensors,secret lines to a file,"
            " `./pipeline devices import` it, and remove the setting",
        )
