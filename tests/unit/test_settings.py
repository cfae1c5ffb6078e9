"""Settings from the environment: read, set to their defaults, or refused by name."""

import re
import socket

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.settings import Settings as BridgeSettings
from collector.settings import Settings as CollectorSettings
from telemetry import topics
from telemetry.settings import ConnectionSettings, SettingError, load

KINDS = [CollectorSettings, BridgeSettings]


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_environment_all_have_their_defaults(kind: type[CollectorSettings]) -> None:
    assert load(kind, {}) == kind()


def test_the_keyword_arguments_of_the_clients() -> None:
    environ = {"MQTT_HOST": "broker", "MQTT_USERNAME": "m", "INFLUX_HOST": "db"}
    settings = load(BridgeSettings, environ)
    assert settings.broker == {
        "host": "broker",
        "port": 1883,
        "username": "m",
        "password": "",
        "broker": "mosquitto",
    }
    assert settings.influx == {
        "addresses": ("db:8086",),
        "username": None,
        "password": None,
        "database": "iot",
    }
    user = load(BridgeSettings, {"INFLUX_USERNAME": "u", "INFLUX_PASSWORD": "p"})
    assert (user.influx["username"], user.influx["password"]) == ("u", "p")


@pytest.mark.parametrize("kind", KINDS)
def test_the_environment_of_others_is_ignored(kind: type[CollectorSettings]) -> None:
    environ = {"PATH": "/bin", "mqtt_port": "x", "MQTT_PORT_": "x", "COLLECTOR": "x", "BRIDGE": ""}
    assert load(kind, environ) == kind()


def test_each_setting_is_read_in_its_type() -> None:
    settings = load(
        CollectorSettings,
        {
            "MQTT_HOST": "broker",
            "MQTT_PORT": "65535",
            "MQTT_USERNAME": "me",
            "MQTT_PASSWORD": "123",
            "COLLECTOR_PORT": "1",
            "OUTBOX_KEEP_HOURS": "0.5",
            "OUTBOX_MAX_BYTES": "1048576",
            "STORED_TIMEOUT_S": "60",
        },
    )
    assert (settings.mqtt_host, settings.mqtt_port, settings.mqtt_password) == (
        "broker",
        65535,
        "123",
    )
    assert (settings.collector_port, settings.outbox_keep_hours) == (1, 0.5)
    assert (settings.outbox_max_bytes, settings.stored_timeout_s) == (1 << 20, 60)
    assert load(BridgeSettings, {"BATCH_MAX": "1", "BRIDGE_ID": "b-2"}).batch_max == 1


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("MQTT_PORT", "0", "a port from 1 to 65535"),
        ("MQTT_PORT", "65536", "a port from 1 to 65535"),
        ("MQTT_PORT", "", "a port from 1 to 65535"),
        ("MQTT_PORT", "1883x", "a port from 1 to 65535"),
        ("MQTT_PORT", "1883.5", "a port from 1 to 65535"),
        ("MQTT_HOST", "", "a text that is not empty"),
        ("INFLUX_PORT", "-1", "a port from 1 to 65535"),
        ("INFLUX_DATABASE", "", "a text that is not empty"),
        ("COLLECTOR_PORT", "http", "a port from 1 to 65535"),
        ("OUTBOX_PATH", "", "a text that is not empty"),
        ("OUTBOX_MAX_BYTES", "1000", "a number of bytes, at least 1048576 (1 MiB)"),
        ("OUTBOX_MAX_BYTES", "1G", "a number of bytes, at least 1048576 (1 MiB)"),
        ("OUTBOX_KEEP_HOURS", "0", "a number of hours above 0"),
        ("OUTBOX_KEEP_HOURS", "nan", "a number of hours above 0"),
        ("MAX_BODY_BYTES", "0", "a number of bytes, at least 1"),
        ("MAX_CONNECTIONS", "-1", "a number of connections, or 0 for 10000, with TLS 2000"),
        ("STORED_TIMEOUT_S", "61", "a number of seconds above 0 and up to 60"),
        ("STORED_TIMEOUT_S", "0", "a number of seconds above 0 and up to 60"),
    ],
)
def test_a_bad_value_is_named_with_what_was_expected(key: str, value: str, expected: str) -> None:
    with pytest.raises(
        SettingError, match=re.escape(f"{key}={value!r}: expected {expected}")
    ) as raised:
        load(CollectorSettings, {key: value})
    assert (raised.value.key, raised.value.value) == (key, value)


@pytest.mark.parametrize("prefix", ["", "homeassistant", "home/assistant", "readings-2", "a_1"])
def test_a_prefix_for_home_assistant(prefix: str) -> None:
    settings = load(CollectorSettings, {"HOME_ASSISTANT_PREFIX": prefix})
    assert settings.home_assistant_prefix == prefix


OWN_TOPICS = [
    root.rstrip("/")
    for root in vars(topics).values()
    if isinstance(root, str) and root.endswith("/")
]


@pytest.mark.parametrize(
    "prefix",
    [
        *OWN_TOPICS,
        "readings/x",
        "+",
        "/",
        "a/#",
        "a+",
        "a/",
        "/a",
        "a//b",
        "$SYS",
        "é",
        "a b",
        "a\n",
        "a" * 101,
    ],
)
def test_a_prefix_that_cannot_be_one_is_named(prefix: str) -> None:
    expected = f"HOME_ASSISTANT_PREFIX={prefix!r}: expected a topic of up to 100 letters"
    with pytest.raises(SettingError, match=re.escape(expected)):
        load(CollectorSettings, {"HOME_ASSISTANT_PREFIX": prefix})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("BATCH_MAX", "0"),
        ("BATCH_MAX", "many"),
        ("BRIDGE_ID", "a/b"),
        ("BRIDGE_ID", "#"),
        ("BRIDGE_ID", "a\nb"),
        ("BRIDGE_ID", "a\n"),
        ("BRIDGE_ID", "a\x85"),
        ("BRIDGE_ID", "a\udcff"),  # not UTF-8
        ("BRIDGE_ID", "x" * 101),
        ("INFLUX_REPLICATION", "9" * 30),
    ],
)
def test_a_bad_value_of_the_bridge_is_named(key: str, value: str) -> None:
    with pytest.raises(SettingError, match=re.escape(f"{key}={value!r}: expected ")):
        load(BridgeSettings, {key: value})


def test_a_bridge_without_a_name_has_that_of_its_host() -> None:
    assert load(BridgeSettings, {"BRIDGE_ID": ""}).name == socket.gethostname()
    assert load(BridgeSettings, {}).name == "bridge"


@given(st.sampled_from(["MQTT_PORT", "COLLECTOR_PORT"]), st.text())
def test_any_text_is_a_port_or_an_error(key: str, value: str) -> None:
    try:
        port = getattr(load(CollectorSettings, {key: value}), key.lower())
    except SettingError as error:
        assert str(error).startswith(f"{key}={value!r}: expected ")  # noqa: PT017
    else:
        assert 1 <= port <= 65535


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_that_can_be_wrong_says_what_is_expected(
    kind: type[CollectorSettings],
) -> None:
    for field in msgspec.structs.fields(kind):
        for wrong in ("", "x", "-1", "/+#$"):
            try:
                load(kind, {field.name.upper(): wrong})
            except SettingError as error:
                assert ": expected a" in str(error)  # noqa: PT017


def test_a_path_is_a_unix_socket_without_tls() -> None:
    environ = {"MQTT_HOST": "/run/broker/mqtt.sock", "TLS": "iot.local"}
    broker = load(CollectorSettings, environ).broker
    assert broker["host"] == "/run/broker/mqtt.sock"
    assert "tls" not in broker
    assert "tls" in load(CollectorSettings, environ | {"MQTT_HOST": "broker"}).broker


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"MQTT_HOST": "/" + "s" * 107}, "s': expected a path of at most 107 bytes"),
        ({"MQTT_HOST": "/" + "ä" * 54}, "ä': expected a path of at most 107 bytes"),
        (
            {"MQTT_HOST": "/run/s", "MQTT_TLS_CA": "/etc/ca.crt"},
            "MQTT_TLS_CA='/etc/ca.crt': expected nothing, as MQTT_HOST is a Unix socket",
        ),
    ],
)
def test_a_unix_socket_that_cannot_be_used_is_named(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingError, match=re.escape(said)):
        load(BridgeSettings, environ)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db", ["db:8086"]),
        ("iot_db,é.example.", ["iot_db:8086", "é.example.:8086"]),
        ("::1", ["[::1]:8086"]),
        ("[::1]", ["[::1]:8086"]),
        ("a, b:1 ,[::1]:2,a", ["a:8086", "b:1", "[::1]:2"]),
    ],
)
def test_influxdb_may_have_several_addresses(text: str, expected: list[str]) -> None:
    assert load(ConnectionSettings, {"INFLUX_HOST": text}).influx["addresses"] == tuple(expected)


@pytest.mark.parametrize(
    "text",
    [
        *("a,", "a:0", "a:65536", "a:x", "a:", "[::1", "[a]:1", "http://a", "u@a", "a b", "::1:x"),
        *("a..b", "10.0.0..1,b", f"b,{'x' * 70}", ".a", "*", 'a"b', "a\\b"),
    ],
)
def test_an_address_of_influxdb_that_cannot_be_one_is_named(text: str) -> None:
    with pytest.raises(SettingError, match=r"INFLUX_HOST=.*: expected a host, or several"):
        load(ConnectionSettings, {"INFLUX_HOST": text})
