"""Settings from environment variables: one struct per service, checked at start."""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NotRequired, TypedDict, TypeVar

import msgspec
import msgspec.inspect
from msgspec import Meta

from telemetry.addresses import addresses
from telemetry.brokers import BROKERS
from telemetry.host_names import host_names, is_host
from telemetry.process import ServiceError
from telemetry.tls import Tls, client_context

# The description of a type is what an error says was expected.
Port = Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")]
# The end of the names of settings that are secret.
_SECRET = "_PASSWORD"  # noqa: S105
_MQTT, _MQTTS = 1883, 8883
_NO_TLS = "expected nothing, as MQTT_HOST is a Unix socket, which speaks no TLS"
_LONGEST_SOCKET = 107  # bytes; sun_path of Linux
_LONGEST_TEXT = 65_535  # bytes of a user's name or password in MQTT
_LONGEST_DATABASE = 255  # bytes
_BROKER = (
    "expected a host name, an address, or the path of a Unix socket, which begins with a slash"
)
Text = Annotated[str, Meta(min_length=1, description="a text that is not empty")]


class BrokerAccess(TypedDict):
    """Address and account: keyword arguments of `MqttClient`."""

    host: str
    port: int
    username: str
    password: str
    broker: NotRequired[str]
    tls: NotRequired[Tls]


class InfluxAccess(TypedDict):
    """Addresses (`host:port` as in URLs, the preferred one first), account and database."""

    addresses: tuple[str, ...]
    username: str | None
    password: str | None
    database: str
    authorities: NotRequired[str]  # a file; with it, HTTPS


class ConnectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Access to the broker and to InfluxDB, the same for both services."""

    mqtt_host: Text = "127.0.0.1"  # beginning with a slash: a Unix socket
    mqtt_port: Port = 1883
    mqtt_broker: Annotated[
        str,
        Meta(
            pattern=rf"\A({'|'.join(BROKERS)})\Z",
            description=f"a kind of broker, one of {', '.join(BROKERS)}",
        ),
    ] = "mosquitto"  # which decides what a topic may hold
    mqtt_username: str = ""
    mqtt_password: str = ""
    mqtt_tls_ca: str = ""  # a file of authorities; empty: no TLS, unless TLS wants it
    influx_host: Text = "127.0.0.1"  # several, separated by commas: the first that answers
    influx_port: Port = 8086
    influx_username: str = ""
    influx_password: str = ""
    influx_database: Text = "iot"
    influx_tls_ca: str = ""
    tls: str = ""  # names of this machine, separated by commas; empty: no TLS
    tls_dir: str = ""

    def __post_init__(self) -> None:
        """Raise SettingError for what is of the right type and cannot be used."""
        _ = self.tls_names, self.influx_addresses
        if self.is_socket:
            self._check_socket()
        elif not is_host(self.mqtt_host):
            raise SettingError("MQTT_HOST", self.mqtt_host, _BROKER)
        for service in ("mqtt", "influx"):
            self._check_account(service)
        if not _is_database(self.influx_database):
            expected = (
                f"expected a name of at most {_LONGEST_DATABASE} bytes, neither . nor .., without"
                " slashes, backslashes and control characters"
            )
            raise SettingError("INFLUX_DATABASE", self.influx_database, expected)
        for name in ("mqtt_tls_ca", "influx_tls_ca"):
            if path := getattr(self, name):
                try:
                    client_context(path)
                except OSError as error:
                    raise SettingError(name.upper(), path, str(error)) from None

    def _check_socket(self) -> None:
        expected = ""
        if len(os.fsencode(self.mqtt_host)) > _LONGEST_SOCKET:
            expected = f"expected a path of at most {_LONGEST_SOCKET} bytes"
        elif os.path.exists(self.mqtt_host) and not Path(self.mqtt_host).is_socket():  # noqa: PTH110  raises nothing
            expected = "expected a Unix socket, which this file or directory is not"
        if expected:
            raise SettingError("MQTT_HOST", self.mqtt_host, expected)
        if self.mqtt_tls_ca:
            raise SettingError("MQTT_TLS_CA", self.mqtt_tls_ca, _NO_TLS)

    def _check_account(self, service: str) -> None:
        name, password = (f"{service}_username", f"{service}_password")
        for field in (name, password):
            if not _is_short(text := getattr(self, field)):
                expected = f"expected a text of at most {_LONGEST_TEXT} bytes, in UTF-8"
                raise SettingError(field.upper(), text, expected)
        if not (user := getattr(self, name)).isprintable():
            raise SettingError(name.upper(), user, "expected a name without control characters")
        if getattr(self, password) and not user:
            expected = f"expected a name, as {password.upper()} is set"
            raise SettingError(name.upper(), user, expected)

    @property
    def is_socket(self) -> bool:
        """Whether the broker is reached through a Unix socket."""
        return self.mqtt_host.startswith("/")

    @property
    def broker(self) -> BrokerAccess:
        access: BrokerAccess = {
            "host": self.mqtt_host,
            "port": self.mqtt_port,
            "username": self.mqtt_username,
            "password": self.mqtt_password,
            "broker": self.mqtt_broker,
        }
        if self.mqtt_tls_ca:
            access["tls"] = Tls(self.mqtt_tls_ca, self.mqtt_host)
        elif self.tls_names and not (self.is_socket or is_loopback(self.mqtt_host)):
            access["tls"] = Tls(str(self.certificates / "ca.crt"), self.tls_names[0])
        if "tls" in access and self.mqtt_port == _MQTT:
            access["port"] = _MQTTS
        return access

    @property
    def tls_names(self) -> tuple[str, ...]:
        """The names and addresses under which this machine is reached."""
        try:
            return host_names(self.tls)
        except ValueError as error:
            raise SettingError("TLS", self.tls, str(error)) from None

    @property
    def certificates(self) -> Path:
        """The directory of the certificates."""
        return Path(self.tls_dir or "tls")

    @property
    def influx_addresses(self) -> tuple[str, ...]:
        """The addresses of InfluxDB, the preferred one first."""
        try:
            return addresses(self.influx_host, self.influx_port)
        except ValueError as error:
            raise SettingError("INFLUX_HOST", self.influx_host, str(error)) from None

    @property
    def influx(self) -> InfluxAccess:
        access: InfluxAccess = {
            "addresses": self.influx_addresses,
            "username": self.influx_username or None,
            "password": self.influx_password or None,
            "database": self.influx_database,
        }
        if self.influx_tls_ca:
            access["authorities"] = self.influx_tls_ca
        return access


class SettingError(ServiceError):
    """A setting whose value cannot be used."""

    def __init__(self, key: str, value: str, expected: str) -> None:
        shown = "…" if key.endswith(_SECRET) else value
        super().__init__(f"{key}={shown!r}: {expected}")
        self.key = key
        self.value = value


S = TypeVar("S", bound=msgspec.Struct)


def load(kind: type[S], environ: Mapping[str, str] = os.environ) -> S:
    """Fill a struct of settings from the environment: field `mqtt_port` from MQTT_PORT.

    A password may be in a file instead, which MQTT_PASSWORD_FILE names. Raises SettingError with
    the key, the value and what was expected.
    """
    given = {}
    for field in msgspec.structs.fields(kind):
        key = field.name.upper()
        path = environ.get(f"{key}_FILE") if key.endswith(_SECRET) else None
        if path and not environ.get(key):
            given[field.name] = _secret(f"{key}_FILE", path)
        elif key in environ:
            try:
                given[field.name] = msgspec.convert(environ[key], field.type, strict=False)
            except msgspec.ValidationError:
                raise SettingError(key, environ[key], f"expected {_expected(field.type)}") from None
    return kind(**given)


def is_loopback(host: str) -> bool:
    """Return whether a name or an address is one that only this machine can reach."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_short(text: str) -> bool:
    try:
        return len(text.encode()) <= _LONGEST_TEXT
    except UnicodeEncodeError:
        return False


def _is_database(name: str) -> bool:
    """Return whether InfluxDB takes a name for a database."""
    is_file = name not in (".", "..") and not set("/\\") & set(name)
    return is_file and name.isprintable() and len(name.encode()) <= _LONGEST_DATABASE


def _secret(key: str, path: str) -> str:
    try:
        secret = Path(path).read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingError(key, path, f"expected a file with a password: {reason}") from None
    if not secret:
        raise SettingError(key, path, "expected a file with a password: it is empty")
    return secret


def _expected(kind: type) -> str:
    described = msgspec.inspect.type_info(kind)
    assert isinstance(described, msgspec.inspect.Metadata), kind  # noqa: S101  each type that can fail
    return str((described.extra_json_schema or {})["description"])
