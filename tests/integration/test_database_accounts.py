"""InfluxDB with authentication: the bridge makes the accounts, and nothing is lost meanwhile."""

import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from run.configuration import write_influx_configuration
from tests.builders import reading
from tests.integration.points import points, wait_points
from tests.integration.posting import STORED, client, metrics, send
from tests.stack import Influx, Stack, wait_for

OWN = 'it\'s \\ "own"'
AUDITOR = "auditor's"
GRAFANA = "grafana's"
LOCKED = {401, 403}


class Locked(Influx):
    """An InfluxDB with authentication, whose accounts are the bridge's affair."""

    username = "bridge"
    password = OWN

    def is_ready(self) -> bool:
        try:
            self._request("ping")
        except OSError:
            return False
        return True


class As(Influx):
    """The same InfluxDB, with another account."""

    def __init__(self, influx: Influx, username: str, password: str) -> None:
        self.port, self.auth = influx.port, True
        self.username, self.password = username, password


class Anonymous(Influx):
    """The same InfluxDB, without an account."""

    def __init__(self, influx: Influx) -> None:
        self.port, self.auth = influx.port, False


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A pipeline with a locked database, and nothing of it started."""
    stack = Stack(tmp_path)
    stack.influx = Locked(tmp_path / "locked", auth=True)
    secrets = tmp_path / "influx-auditor"
    secrets.write_text(AUDITOR + "\n")
    port = {"INFLUX_PORT": str(stack.influx.port)}
    stack.bridge.env |= port | {
        "INFLUX_USERNAME": "bridge",
        "INFLUX_PASSWORD": OWN,
        "INFLUX_AUDITOR_PASSWORD_FILE": str(secrets),
        "INFLUX_GRAFANA_PASSWORD": GRAFANA,
    }
    account = {"INFLUX_USERNAME": "auditor", "INFLUX_PASSWORD_FILE": str(secrets)}
    stack.collector.env |= port | account
    try:
        yield stack
    finally:
        stack.stop()


def refuses(influx: Influx, statement: str, username: str, password: str) -> bool:
    """Whether this account, or with an empty name nobody, may not do that."""
    other = As(influx, username, password) if username else Anonymous(influx)
    try:
        other.query(statement)
    except urllib.error.HTTPError as error:
        return error.code in LOCKED
    return False


def wait_audited(stack: Stack) -> None:
    """Wait until every reading was stored and read back."""
    with client(stack.collector) as http:

        def is_audited() -> bool:
            now = metrics(http)
            return now["unaudited"] == now["pending"] == 0

        wait_for(is_audited, 30, "read back")


def post(stack: Stack, sensor: str, path: str = STORED) -> None:
    with client(stack.collector) as http:
        response = send(http, reading(sensor, time.time_ns(), 21.5), path=path)
        assert response.status_code in {201, 202}, response.text


def test_a_fresh_database_gets_its_accounts(stack: Stack, sensor: str) -> None:
    stack.start()
    post(stack, sensor)
    assert len(wait_points(stack.influx, sensor)) == 1
    wait_audited(stack)
    users = {row["user"]: row["admin"] for row in stack.influx.query("SHOW USERS")}
    assert users == {"bridge": True, "auditor": False, "grafana": False}
    for name, password in (("auditor", AUDITOR), ("grafana", GRAFANA)):
        assert len(points(As(stack.influx, name, password), sensor)) == 1
        assert refuses(stack.influx, "DROP DATABASE iot", name, password)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            As(stack.influx, name, password).write("data,sensor_id=x,type=y value=1")
    assert refuses(stack.influx, "DROP DATABASE iot", "", "")
    assert len(points(stack.influx, sensor)) == 1
    for part in (stack.bridge, stack.collector):
        assert not any(secret in part.log_text() for secret in (OWN, AUDITOR, GRAFANA))


def test_without_authentication_a_stranger_drops_the_database(influx: Influx) -> None:
    """The control: it is the password that stops them."""
    influx.query("CREATE DATABASE strangers")
    Anonymous(influx).query("DROP DATABASE strangers")
    assert {"name": "strangers"} not in influx.query("SHOW DATABASES")


def test_a_database_of_before_is_taken_over_with_its_readings(stack: Stack, sensor: str) -> None:
    influx = stack.influx
    write_influx_configuration(influx.directory, influx.port, auth=False)
    influx.start()
    influx.wait_ready()
    before = Anonymous(influx)
    before.query("CREATE DATABASE iot")
    before.write(f"data,sensor_id=old,type=temp value=1.5 {10**18}")
    influx.stop()
    write_influx_configuration(influx.directory, influx.port, auth=True)
    stack.start()
    post(stack, sensor)
    wait_audited(stack)
    assert points(influx, "old") == {("temp", 10**18): 1.5}
    assert len(points(influx, sensor)) == 1
