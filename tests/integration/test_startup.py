"""What keeps a service from starting, and the error it prints."""

import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.identities import give
from tests.service import Service, has_ipv6
from tests.stack import Bridge, Collector, free_port, wait_for

INVALID_FOR_BOTH = [
    ("MQTT_PORT", "abc"),
    ("MQTT_PORT", "65536"),
    ("MQTT_HOST", "a..b"),
]
INVALID_FOR_COLLECTOR = [
    ("OUTBOX_MAX_BYTES", "5"),
    ("OUTBOX_KEEP_HOURS", "nan"),
    ("STORED_TIMEOUT_S", "61"),
    ("ALLOWED_ORIGINS", "shop.example"),
    ("RATE_LIMIT", "-1"),
    ("MAX_SERIES", "0"),
    ("COLLECTOR_WORKERS", "65"),
    ("MAX_CONNECTIONS_PER_ADDRESS", "few"),
]
INVALID_FOR_BRIDGE = [("BATCH_MAX", "many"), ("BRIDGE_ID", "a/b"), ("BRIDGE_METRICS_PORT", "65536")]


def collector(directory: Path, **env: str) -> Collector:
    return Collector(directory, mqtt_port=1, influx_port=1, env=env)


def bridge(directory: Path, **env: str) -> Bridge:
    return Bridge(directory, mqtt_port=1, influx_port=1, env=env)


def startup_error(service: Service) -> str:
    """Start a service that must end with exit code 1; return the last line of its log."""
    service.start()
    wait_for(lambda: not service.running, 20, f"the end of {service.name}")
    assert service.stop() == 1
    assert "Traceback" not in service.log_text()
    return service.log_text().splitlines()[-1]


@pytest.mark.parametrize(("key", "value"), [*INVALID_FOR_BOTH, *INVALID_FOR_COLLECTOR])
def test_an_invalid_setting_of_the_collector_is_named(tmp_path: Path, key: str, value: str) -> None:
    line = startup_error(collector(tmp_path, **{key: value}))
    assert line.startswith(f"collector: {key}={value!r}: ")
    assert "xpected" in line


@pytest.mark.parametrize(("key", "value"), [*INVALID_FOR_BOTH, *INVALID_FOR_BRIDGE])
def test_an_invalid_setting_of_the_bridge_is_named(tmp_path: Path, key: str, value: str) -> None:
    line = startup_error(bridge(tmp_path, **{key: value}))
    assert line.startswith(f"bridge: {key}={value!r}: ")
    assert "xpected" in line


def test_a_file_of_tokens_is_not_ignored(tmp_path: Path) -> None:
    line = startup_error(collector(tmp_path, TOKENS_FILE="/tokens"))
    assert line.startswith("collector: TOKENS_FILE='/tokens': tokens are identities now")


def test_damaged_identities_let_nobody_in(tmp_path: Path) -> None:
    give(tmp_path / "accounts", {"kitchen": ("secret", ["1"])})
    file = tmp_path / "accounts" / "identities.json"
    file.write_bytes(file.read_bytes()[:-5])
    line = startup_error(collector(tmp_path))
    assert line.startswith(f"collector: {file} is damaged: ")


def test_a_port_in_use_names_its_variable(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        line = startup_error(collector(tmp_path, COLLECTOR_PORT=str(port)))
        of_bridge = startup_error(bridge(tmp_path, BRIDGE_METRICS_PORT=str(port)))
    assert line.startswith(f"collector: COLLECTOR_PORT='{port}': ")
    assert of_bridge.startswith(f"bridge: BRIDGE_METRICS_PORT='{port}': ")
    assert "in use" in line
    assert "in use" in of_bridge


@pytest.mark.skipif(not has_ipv6(), reason="the machine has no ::1")
def test_both_loopback_addresses_answer_and_are_free_after_the_end(tmp_path: Path) -> None:
    with collector(tmp_path) as running:
        for host in ("127.0.0.1", "[::1]"):
            response = httpx.get(f"http://{host}:{running.port}/healthz", trust_env=False)
            assert response.text == "alive\n"
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        socket.create_server((address, running.port), family=family).close()


@pytest.mark.skipif(not has_ipv6(), reason="the machine has no ::1")
def test_a_port_in_use_on_one_loopback_address_is_named_with_it(tmp_path: Path) -> None:
    port = free_port()
    with socket.create_server(("::1", port), family=socket.AF_INET6):
        line = startup_error(collector(tmp_path, COLLECTOR_PORT=str(port)))
    assert line.startswith(f"collector: COLLECTOR_PORT='{port}': cannot listen on [::1]:{port}: ")
    assert "in use" in line


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "a..b"])
def test_a_host_that_is_not_this_machine_is_named(tmp_path: Path, host: str) -> None:
    line = startup_error(collector(tmp_path, COLLECTOR_HOST=host))
    assert line.startswith(f"collector: COLLECTOR_HOST='{host}': ")


def test_a_second_collector_on_an_outbox_takes_another_one(tmp_path: Path) -> None:
    with (
        collector(tmp_path / "first") as first,
        collector(tmp_path / "second", OUTBOX_PATH=str(first.outbox)) as second,
    ):
        other = first.outbox.with_name("outbox-2.db")
        wait_for(lambda: f"pending in {other}" in second.log_text())
    again = collector(tmp_path / "second", OUTBOX_PATH=str(first.outbox))
    with again:
        assert again.log_text().count(f"pending in {first.outbox}") == 1


def test_an_outbox_is_usable_again_after_a_kill(tmp_path: Path) -> None:
    for _ in range(2):
        again = collector(tmp_path)
        again.start()
        again.wait_ready()
        again.kill()


@pytest.mark.parametrize("where", ["a file/outbox.db", "a directory"])
def test_a_path_that_no_outbox_can_have_names_its_variable(tmp_path: Path, where: str) -> None:
    (tmp_path / "a file").touch()
    (tmp_path / "a directory").mkdir()
    path = tmp_path / where
    line = startup_error(collector(tmp_path, OUTBOX_PATH=str(path)))
    assert line.startswith(f"collector: OUTBOX_PATH='{path}': expected ")


def test_an_unwritable_outbox_is_named(tmp_path: Path) -> None:
    path = Path("/proc/outbox.db")
    line = startup_error(collector(tmp_path, OUTBOX_PATH=str(path)))
    assert line.startswith(f"collector: {path}: ")


def test_a_file_that_is_not_a_database_is_left_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"my diary, chapter one " * 1000)
    line = startup_error(collector(tmp_path))
    assert line.startswith(f"collector: {path}: ")
    assert "not a database" in line
    assert path.read_bytes() == b"my diary, chapter one " * 1000


def test_an_outbox_with_broken_pages_is_not_used(tmp_path: Path) -> None:
    with collector(tmp_path) as first:
        path = first.outbox
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    assert startup_error(first).startswith(f"collector: {path}: ")


def test_a_database_of_another_program_is_not_used_as_outbox(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE outbox (something TEXT)")
        db.execute("INSERT INTO outbox VALUES ('else')")
    db.close()
    assert startup_error(collector(tmp_path)).startswith(f"collector: {path}: ")
