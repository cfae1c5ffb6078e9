"""The services' passwords: made once, mended, and none that the network could guess."""

import os
from pathlib import Path

import pytest

from collector.access import certificates, register, secrets
from collector.access.broker import RULES, Terms
from telemetry.settings import ConnectionSettings, SettingError, load
from tests.identities import LOOPBACK, give


def make(directory: Path, terms: Terms = LOOPBACK, grafana: str = "") -> dict[str, str]:
    """Make the secrets and return them by name."""
    secrets.make(directory / "secrets", directory / "accounts", terms, grafana)
    return {path.name: path.read_text() for path in (directory / "secrets").iterdir()}


def test_they_are_random_and_stay(tmp_path: Path) -> None:
    first = make(tmp_path / "one")
    assert first.keys() == secrets.OWNERS.keys()
    assert len(set(first.values())) == len(first)
    assert make(tmp_path / "one") == first
    assert not set(make(tmp_path / "two").values()) & set(first.values())
    assert (tmp_path / "one" / "secrets").stat().st_mode & 0o077 == 0
    assert (tmp_path / "one" / "accounts" / RULES).exists()


@pytest.mark.parametrize("name", ["broker-collector", "broker.passwd", "simulator"])
def test_what_an_interrupted_start_has_left_is_mended(tmp_path: Path, name: str) -> None:
    make(tmp_path)
    path = tmp_path / "secrets" / name
    path.write_text(f"{'x' * 43}\n" if "." not in name else "collector:$7$101$AAAA$AAAA\n")
    found = make(tmp_path)
    lines = dict(line.split(":") for line in found["broker.passwd"].splitlines())
    for user in ("collector", "bridge"):
        assert register.is_password(lines[user], found[f"broker-{user}"].strip())
    (simulator,) = register.load(tmp_path / "accounts").identities
    assert register.is_password(simulator.password, found["simulator"].strip())


@pytest.mark.parametrize("content", ["no colon", "collector:", "collector:$7$101$?$?"])
def test_a_damaged_file_for_the_broker_is_made_anew(tmp_path: Path, content: str) -> None:
    make(tmp_path)
    (tmp_path / "secrets" / "broker.passwd").write_text(f"{content}\nbridge:x\n")
    found = make(tmp_path)
    lines = dict(line.split(":") for line in found["broker.passwd"].splitlines())
    assert register.is_password(lines["collector"], found["broker-collector"].strip())


@pytest.mark.parametrize("name", ["broker-collector", "influx-bridge", "simulator"])
def test_an_empty_file_is_no_password(tmp_path: Path, name: str) -> None:
    make(tmp_path)
    (tmp_path / "secrets" / name).write_bytes(b"")
    assert len(make(tmp_path)[name]) == 44


def test_a_simulator_that_was_removed_stays_away(tmp_path: Path) -> None:
    make(tmp_path)
    with register.edit(tmp_path / "accounts") as entries:
        entries.clear()
    make(tmp_path)
    assert register.load(tmp_path / "accounts").identities == []


def test_a_password_that_everybody_knows_opens_nothing_to_the_network(tmp_path: Path) -> None:
    opened = Terms(opened=True)
    assert make(tmp_path, grafana="admin")["grafana-admin"] == "admin\n"
    expected = r"GRAFANA_PASSWORD='…': Grafana is open to the network: expected at least 8"
    with pytest.raises(SettingError, match=expected):
        make(tmp_path, opened)  # it is in the file still
    assert make(tmp_path, opened, "long enough")["grafana-admin"] == "long enough\n"


@pytest.mark.parametrize("refused", ["short", " short   "])
def test_a_password_that_is_refused_replaces_none(tmp_path: Path, refused: str) -> None:
    opened = Terms(opened=True)
    with pytest.raises(SettingError, match=r"GRAFANA_PASSWORD='…': "):
        make(tmp_path, opened, refused)
    assert not list(tmp_path.iterdir())
    good = make(tmp_path, opened)
    with pytest.raises(SettingError, match=r"GRAFANA_PASSWORD='…': "):
        make(tmp_path, opened, refused)
    assert make(tmp_path, opened) == good


def test_what_was_written_by_hand_is_made_private(tmp_path: Path) -> None:
    directory = tmp_path / "secrets"
    directory.mkdir(mode=0o755)
    by_hand = directory / "influx-bridge"
    by_hand.write_text("by hand\n")
    by_hand.chmod(0o644)
    assert make(tmp_path)["influx-bridge"] == "by hand\n"
    secrets.make_private(directory)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


def test_lost_identities_are_not_made_anew(tmp_path: Path) -> None:
    make(tmp_path)
    give(tmp_path / "accounts", {"kitchen": ("secret", ["1"])})
    make(tmp_path)
    (tmp_path / "accounts" / register.FILE).unlink()
    with pytest.raises(register.RegisterUnusable):
        make(tmp_path)


@pytest.mark.parametrize("has_tls", [True, False])
def test_in_containers_each_file_is_given_to_those_who_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_tls: bool
) -> None:
    tls = tmp_path / "tls"
    make(tmp_path)
    if has_tls:
        certificates.ensure(tls, ["iot.local"])
    given: dict[Path, tuple[int, int]] = {}
    monkeypatch.setattr(os, "chown", lambda path, *owner: given.update({path: owner}))
    secrets.give_to_containers(tmp_path / "secrets", tmp_path / "accounts", tls)
    files = {path for path in tmp_path.rglob("*") if path != tmp_path / "secrets"}
    assert given.keys() == files
    assert given[tmp_path / "secrets" / "broker-bridge"] == (10002, 10002)
    assert given[tmp_path / "accounts" / register.FILE] == (10001, 1883)
    if has_tls:
        modes = {path.name: path.stat().st_mode & 0o7777 for path in (tls, *tls.iterdir())}
        assert {given[path] for path in (tls, *tls.iterdir())} == {(10001, 1883)}
        assert (modes["tls"], modes["server.key"], modes["ca.key"]) == (0o2755, 0o640, 0o600)


def test_a_password_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("in the file\n")
    environ = {"MQTT_USERNAME": "me", "MQTT_PASSWORD_FILE": str(file)}
    assert load(ConnectionSettings, environ).mqtt_password == "in the file"
    assert load(ConnectionSettings, {**environ, "MQTT_PASSWORD": ""}).mqtt_password
    given = load(ConnectionSettings, {**environ, "MQTT_PASSWORD": "given"})
    assert given.mqtt_password == "given"


@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), ("\n", "it is empty")])
def test_a_file_without_a_password_is_named(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingError, match=rf"INFLUX_PASSWORD_FILE='{file}': .*{said}"):
        load(ConnectionSettings, {"INFLUX_PASSWORD_FILE": str(file)})
