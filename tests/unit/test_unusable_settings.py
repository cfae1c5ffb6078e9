"""Settings of the right type with which a service could only wait for ever, or end later."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.settings import Settings as BridgeSettings
from collector.settings import Settings as CollectorSettings
from telemetry.settings import ConnectionSettings, SettingError, load


@pytest.mark.parametrize("there", [Path.mkdir, Path.touch])
def test_a_path_of_something_else_is_no_unix_socket(
    tmp_path: Path, there: Callable[[Path], None]
) -> None:
    path = tmp_path / "mqtt.sock"
    load(BridgeSettings, {"MQTT_HOST": str(path)})  # the broker makes it when it starts
    there(path)
    with pytest.raises(SettingError, match=rf"MQTT_HOST='{path}': expected a Unix socket, which"):
        load(BridgeSettings, {"MQTT_HOST": str(path)})


@pytest.mark.parametrize(
    "host", ["broker", "my_broker", "a.b.", "127.0.0.1", "::1", "fe80::1%eth0", "köln.example"]
)
def test_a_name_or_an_address_of_a_broker(host: str) -> None:
    assert load(BridgeSettings, {"MQTT_HOST": host}).mqtt_host == host


@pytest.mark.parametrize(
    "host",
    [
        "a..b", ".x", "x" * 70, "a." * 130, "é..b", " ", "a b", "a,b", "run/mqtt.sock",
        "mqtt://a", "a:1883", "[::1]", "a\n", "a\udcff",
    ],
)  # fmt: skip
def test_a_broker_that_nobody_can_look_up_is_named(host: str) -> None:
    expected = f"MQTT_HOST={host!r}: expected a host name, an address, or the path of a Unix socket"
    with pytest.raises(SettingError, match=re.escape(expected)):
        load(BridgeSettings, {"MQTT_HOST": host})


ACCOUNT = {"MQTT_USERNAME": "me", "INFLUX_USERNAME": "me"}


@pytest.mark.parametrize("key", ["MQTT_USERNAME", "MQTT_PASSWORD", "INFLUX_PASSWORD"])
@pytest.mark.parametrize("text", ["x" * 65_536, "é" * 32_768, "\udcff"])
def test_an_account_that_no_packet_holds_is_named_without_the_password(key: str, text: str) -> None:
    shown = "…" if "PASSWORD" in key else text
    expected = f"{key}={shown!r}: expected a text of at most 65535 bytes, in UTF-8"
    with pytest.raises(SettingError, match=re.escape(expected)):
        load(CollectorSettings, {**ACCOUNT, key: text})
    load(CollectorSettings, {**ACCOUNT, key: "x" * 65_535})


def test_a_user_has_a_name_without_control_characters() -> None:
    with pytest.raises(SettingError, match=r"MQTT_USERNAME='a\\nb': expected a name without"):
        load(CollectorSettings, {"MQTT_USERNAME": "a\nb"})


@pytest.mark.parametrize("service", ["MQTT", "INFLUX"])
def test_a_password_needs_a_name(service: str) -> None:
    expected = f"{service}_USERNAME='': expected a name, as {service}_PASSWORD is set"
    with pytest.raises(SettingError, match=expected):
        load(CollectorSettings, {f"{service}_PASSWORD": "x"})


@pytest.mark.parametrize("name", ["iot", "a b", "a..b", ".x", 'a"b', "é", "x" * 255])
def test_a_name_that_influxdb_takes_for_a_database(name: str) -> None:
    assert load(ConnectionSettings, {"INFLUX_DATABASE": name}).influx_database == name


@pytest.mark.parametrize(
    "name", [".", "..", "a/b", "a\\b", "a\nb", "a\x7f", "a\xa0b", "\u200b", "é" * 128, "\udcff"]
)
def test_a_name_that_influxdb_refuses_for_a_database_is_named(name: str) -> None:
    expected = re.escape(f"INFLUX_DATABASE={name!r}: expected a name of at most 255 bytes")
    with pytest.raises(SettingError, match=expected):
        load(ConnectionSettings, {"INFLUX_DATABASE": name})


@pytest.mark.parametrize("key", ["OUTBOX_PATH", "ACCOUNTS_DIR", "TLS_DIR"])
@pytest.mark.parametrize("below", ["x", "x/y"])
def test_a_path_through_a_file_is_named(tmp_path: Path, key: str, below: str) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SettingError, match=rf"{key}='{file}/.*': expected .*: {file} is none"):
        load(CollectorSettings, {key: f"{file}/{below}"})
    if key != "OUTBOX_PATH":
        with pytest.raises(SettingError, match=rf"{key}='{file}': expected .*: {file} is none"):
            load(CollectorSettings, {key: str(file)})
    load(CollectorSettings, {key: f"{tmp_path}/none/{below}"})


def test_an_outbox_is_no_directory(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=f"OUTBOX_PATH='{tmp_path}': expected a file, not a"):
        load(CollectorSettings, {"OUTBOX_PATH": str(tmp_path)})
