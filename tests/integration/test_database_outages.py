"""InfluxDB's accounts when something is wrong: readings wait, and are stored when it is right."""

import contextlib
import shutil
import urllib.error

import pytest

from tests.integration.points import points, wait_points
from tests.integration.posting import client, metrics
from tests.integration.test_database_accounts import (
    AUDITOR,
    GRAFANA,
    OWN,
    Anonymous,
    As,
    post,
    stack,
    wait_audited,
)
from tests.stack import Stack, wait_for

__all__ = ["stack"]
ACCEPTED = "/data"


def users(stack: Stack) -> set[str]:
    return {str(row["user"]) for row in stack.influx.query("SHOW USERS")}


def wait_stored(stack: Stack, sensor: str, count: int) -> None:
    """Wait until InfluxDB, without accounts and database at first, has so many readings."""

    def are_stored() -> bool:
        with contextlib.suppress(urllib.error.HTTPError, AssertionError):
            return len(points(stack.influx, sensor)) == count
        return False

    wait_for(are_stored, 60, f"{count} readings")


def wipe(stack: Stack) -> None:
    """Delete everything of a stopped InfluxDB, its accounts too."""
    for part in ("meta", "data", "wal"):
        shutil.rmtree(stack.influx.directory / part)


def test_a_database_wiped_while_all_run_gets_accounts_and_readings_again(
    stack: Stack, sensor: str
) -> None:
    stack.start()
    post(stack, sensor)
    wait_audited(stack)
    stack.influx.stop()
    wipe(stack)
    post(stack, sensor, ACCEPTED)
    stack.start("influx")
    wait_stored(stack, sensor, 2)
    wait_for(lambda: users(stack) == {"bridge", "auditor", "grafana"})
    wait_audited(stack)


def test_with_a_wrong_password_readings_wait(stack: Stack, sensor: str) -> None:
    stack.start()
    stack.bridge.stop()
    stack.bridge.env["INFLUX_PASSWORD"] = "wrong"
    stack.bridge.start()
    post(stack, sensor, ACCEPTED)
    wait_for(lambda: "waiting for InfluxDB: 401 authorization failed" in stack.bridge.log_text())
    assert not stack.bridge.is_ready()
    assert points(stack.influx, sensor) == {}
    stack.bridge.stop()
    stack.bridge.env["INFLUX_PASSWORD"] = OWN
    stack.start("bridge")
    assert len(wait_points(stack.influx, sensor)) == 1


def test_before_the_bridge_was_there_an_audit_tells_that_it_has_no_account(
    stack: Stack, sensor: str
) -> None:
    stack.start("broker", "influx", "collector")
    post(stack, sensor, ACCEPTED)
    audit = stack.collector.command("audit")
    assert (audit.returncode, audit.stdout) == (2, "")
    assert "refuses the account" in audit.stderr
    assert "the bridge makes it" in audit.stderr
    stack.start("bridge")
    wait_audited(stack)
    assert stack.collector.command("audit").returncode == 0


def test_an_auditor_without_an_account_waits_and_takes_nothing_for_missing(
    stack: Stack, sensor: str
) -> None:
    secret = stack.bridge.env.pop("INFLUX_AUDITOR_PASSWORD_FILE")
    stack.start()
    post(stack, sensor)
    wait_for(lambda: "cannot be read back: InfluxDB" in stack.collector.log_text())
    assert "refuses the account" in stack.collector.log_text()
    with client(stack.collector) as http:
        assert metrics(http)["unaudited"] == 1
    stack.bridge.stop()
    stack.bridge.env["INFLUX_AUDITOR_PASSWORD_FILE"] = secret
    stack.start("bridge")
    wait_audited(stack)
    with client(stack.collector) as http:
        assert metrics(http)["healed"] == 0
    assert "missing" not in stack.collector.log_text()


@pytest.mark.parametrize("reader", ["auditor", "grafana"])
def test_a_password_that_was_changed_is_set(stack: Stack, sensor: str, reader: str) -> None:
    stack.start("broker", "influx", "bridge")
    stack.influx.query(f"SET PASSWORD FOR {reader} = 'another'")
    stack.bridge.stop()
    stack.start("bridge")
    password = {"auditor": AUDITOR, "grafana": GRAFANA}[reader]
    assert points(As(stack.influx, reader, password), sensor) == {}


def test_a_bridge_that_may_only_write_says_so_and_writes(stack: Stack, sensor: str) -> None:
    stack.start("influx")
    first = As(stack.influx, "owner", "secret")
    Anonymous(stack.influx).query("CREATE USER owner WITH PASSWORD 'secret' WITH ALL PRIVILEGES")
    first.query("CREATE DATABASE iot")
    first.query("CREATE USER writer WITH PASSWORD 'w'")
    first.query("GRANT WRITE ON iot TO writer")
    stack.bridge.env |= {"INFLUX_USERNAME": "writer", "INFLUX_PASSWORD": "w"}
    stack.start("broker", "collector", "bridge")
    post(stack, sensor)
    assert len(points(first, sensor)) == 1
    assert "GRANT ALL PRIVILEGES TO it" in stack.bridge.log_text()
    for secret in (AUDITOR, GRAFANA):
        assert secret not in stack.bridge.log_text()


def test_an_administrator_of_before_makes_the_readers(stack: Stack, sensor: str) -> None:
    stack.start("influx")
    owner = As(stack.influx, "owner", "secret")
    Anonymous(stack.influx).query("CREATE USER owner WITH PASSWORD 'secret' WITH ALL PRIVILEGES")
    stack.bridge.env |= {"INFLUX_USERNAME": "owner", "INFLUX_PASSWORD": "secret"}
    stack.start("broker", "collector", "bridge")
    post(stack, sensor)
    wait_audited(stack)
    assert {row["user"] for row in owner.query("SHOW USERS")} == {"owner", "auditor", "grafana"}


def test_without_authentication_the_same_settings_work(stack: Stack, sensor: str) -> None:
    open_influx = Stack(stack.influx.directory / "open").influx
    port = {"INFLUX_PORT": str(open_influx.port)}
    stack.bridge.env |= port
    stack.collector.env |= port
    stack.influx = open_influx
    stack.start()
    post(stack, sensor)
    wait_audited(stack)
    assert len(points(open_influx, sensor)) == 1
