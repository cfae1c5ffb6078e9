"""What `make run` refuses, and how it says so."""

import socket
from pathlib import Path

import pytest

from run.place import PORTS, Place, PlaceError
from tests.stack import free_port


def a_place(directory: Path, **settings: str) -> Place:
    ports = {name: str(free_port()) for name in PORTS}
    return Place.from_environment({**ports, "RUN_DIR": str(directory), **settings})


def test_a_free_place_is_prepared(tmp_path: Path) -> None:
    place = a_place(tmp_path)

    place.prepare()

    assert (tmp_path / "broker" / "mosquitto.conf").exists()
    assert (tmp_path / "db" / "influxdb.conf").exists()
    assert f"http://127.0.0.1:{place.ports['COLLECTOR_PORT']}/data" in place.addresses()


@pytest.mark.parametrize("name", ["COLLECTOR_PORT", "MQTT_PORT", "INFLUX_PORT"])
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104
def test_a_taken_port_is_named_with_its_setting(tmp_path: Path, name: str, address: str) -> None:
    with socket.create_server((address, free_port())) as other:
        port = other.getsockname()[1]

        with pytest.raises(PlaceError, match=f"port {port} is taken: .* or set {name}"):
            a_place(tmp_path, **{name: str(port)}).prepare()


@pytest.mark.parametrize("port", ["x", "0", "-1", "65536", "1.5"])
def test_what_is_no_port_is_named_with_its_setting(tmp_path: Path, port: str) -> None:
    with pytest.raises(PlaceError, match=f"MQTT_PORT={port}: expected a port"):
        a_place(tmp_path, MQTT_PORT=port)


def test_two_settings_cannot_share_a_port(tmp_path: Path) -> None:
    port = str(free_port())

    with pytest.raises(PlaceError, match=f"MQTT_PORT and INFLUX_PORT are both {port}"):
        a_place(tmp_path, MQTT_PORT=port, INFLUX_PORT=port)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a directory", encoding="utf-8")

    with pytest.raises(PlaceError, match=f"RUN_DIR={in_the_way} cannot be used: "):
        a_place(in_the_way).prepare()


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    a_place(tmp_path).prepare()

    with pytest.raises(PlaceError, match="another `make run` uses"):
        a_place(tmp_path).prepare()
