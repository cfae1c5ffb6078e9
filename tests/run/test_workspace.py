import socket
from pathlib import Path

import pytest

from run.workspace import PORTS, Workspace, WorkspaceError
from tests.stack import free_port


def make_workspace(directory: Path, **settings: str) -> Workspace:
    ports = {name: str(free_port()) for name in PORTS}
    return Workspace.from_environment({**ports, "RUN_DIR": str(directory), **settings})


def test_it_writes_the_configuration_files(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)

    workspace.prepare()

    assert (tmp_path / "broker" / "broker.conf").exists()
    assert (tmp_path / "db" / "influxdb.conf").exists()


@pytest.mark.parametrize("name", ["COLLECTOR_PORT", "MQTT_PORT", "INFLUX_PORT"])
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104
def test_a_port_in_use_is_reported_with_its_setting(
    tmp_path: Path, name: str, address: str
) -> None:
    with socket.create_server((address, free_port())) as other:
        port = other.getsockname()[1]

        with pytest.raises(WorkspaceError, match=f"port {port} is in use: .* or set {name}"):
            make_workspace(tmp_path, **{name: str(port)}).prepare()


@pytest.mark.parametrize("port", ["x", "0", "-1", "65536", "1.5"])
def test_an_invalid_port_is_reported_with_its_setting(tmp_path: Path, port: str) -> None:
    with pytest.raises(WorkspaceError, match=f"MQTT_PORT={port!r}: expected a port"):
        make_workspace(tmp_path, MQTT_PORT=port)


def test_two_settings_cannot_share_a_port(tmp_path: Path) -> None:
    port = str(free_port())

    with pytest.raises(WorkspaceError, match=f"MQTT_PORT and INFLUX_PORT are both {port}"):
        make_workspace(tmp_path, MQTT_PORT=port, INFLUX_PORT=port)


@pytest.mark.parametrize("name", ["q'x", 'q"x', "back\\slash", "new\nline", "\x1b[2J", "\udcff"])
def test_a_name_that_configuration_files_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WorkspaceError, match=r"RUN_DIR=.*: expected a path without quotation"):
        make_workspace(tmp_path / name)


def test_a_directory_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a directory", encoding="utf-8")

    with pytest.raises(WorkspaceError, match=f"RUN_DIR={file} cannot be used: "):
        make_workspace(file).prepare()


def test_a_directory_in_use_is_reported(tmp_path: Path) -> None:
    make_workspace(tmp_path).prepare()

    with pytest.raises(WorkspaceError, match="another `make run` is using"):
        make_workspace(tmp_path).prepare()
