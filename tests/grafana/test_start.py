"""grafana/start.sh: Grafana's password, who is let in without one, and whom alerts are sent to."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from run.configuration import ROOT
from tests.grafana.dashboards import PROVISIONING
from tests.grafana.provisioning import expand

_SERVER = (
    'echo "serves ${GF_SERVER_PROTOCOL:-} ${GF_SERVER_CERT_FILE:-} ${GF_SERVER_CERT_KEY:-}'
    ' ${GF_AUTH_ANONYMOUS_ENABLED:-}" | tr -s " "'
)
START = ROOT / "grafana" / "start.sh"


def start(
    directory: Path, password: str, bind_address: str = "127.0.0.1", tls: str = "", **settings: str
) -> list[str]:
    """Start it with a Grafana that only notes what it is told; return the notes, the last first."""
    (directory / "secrets").mkdir(exist_ok=True)
    (directory / "secrets" / "grafana-admin").write_text(f"{password}\n")
    notes, program = directory / "notes", directory / "grafana"
    program.write_text(f'#!/bin/sh\nread -r given; echo "$* $given" >>{notes}\n')
    program.chmod(0o755)
    notes.write_text("")
    done = subprocess.run(
        ["sh", START, directory, "sh", "-c", _SERVER],
        env={
            "PATH": f"{directory}:{os.environ['PATH']}",
            "GF_PATHS_DATA": str(directory),
            "GF_PATHS_PROVISIONING": str(PROVISIONING),
            "BIND_ADDRESS": bind_address,
            "TLS": tls,
            "TLS_DIR": "/tls",
            **settings,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return [done.stdout.strip(), *notes.read_text().splitlines()]


def test_the_first_start_needs_no_reset(tmp_path: Path) -> None:
    assert start(tmp_path, "first") == ["serves true"]


def test_another_password_is_set_once(tmp_path: Path) -> None:
    start(tmp_path, "first")
    (tmp_path / "grafana.db").touch()
    assert start(tmp_path, "first") == ["serves true"]
    serves, reset = start(tmp_path, "second")
    assert serves == "serves true"
    assert reset.endswith("admin reset-admin-password --password-from-stdin second")
    assert start(tmp_path, "second") == ["serves true"]


def test_a_grafana_of_before_does_not_keep_its_password(tmp_path: Path) -> None:
    (tmp_path / "grafana.db").touch()
    assert len(start(tmp_path, "random")) == 2


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", ""])  # noqa: S104
def test_from_the_network_nobody_is_let_in_without_a_password(tmp_path: Path, address: str) -> None:
    assert start(tmp_path, "random", address) == ["serves"]


def test_with_tls_it_speaks_https(tmp_path: Path) -> None:
    (served,) = start(tmp_path, "random", "192.0.2.1", tls="iot.local")
    assert served == "serves https /tls/server.crt /tls/server.key"


HOOK = "https://ops.example/hook?token=$a&b='c'"
MAIL = {"ALERT_EMAIL": "ops@example.org, boss@example.org", "GF_SMTP_ENABLED": "true"}


def contact(directory: Path, **settings: str) -> dict[str, Any]:
    """Start it with these settings; return what Grafana is told of contact points."""
    (served,) = start(directory, "first", **settings)
    assert served == "serves true"
    told = yaml.safe_load((directory / "provisioning" / "alerting" / "contact.yaml").read_text())
    assert told.pop("apiVersion") == 1
    return dict(told)


def receivers(told: dict[str, Any]) -> dict[str, Any]:
    [point] = told["contactPoints"]
    assert [policy["receiver"] for policy in told["policies"]] == [point["name"]]
    return {each["uid"]: each["settings"] for each in point["receivers"]}


def test_by_default_nobody_is_told_of_alerts(tmp_path: Path) -> None:
    assert contact(tmp_path) == {"deleteContactPoints": None}


def test_those_who_are_set_are_told(tmp_path: Path) -> None:
    told = contact(tmp_path, ALERT_WEBHOOK=HOOK, **MAIL)
    found = receivers(told)
    assert told["deleteContactPoints"] is None
    assert expand(found["iot-webhook"]["url"], {"ALERT_WEBHOOK": HOOK}) == HOOK
    assert expand(found["iot-email"]["addresses"], MAIL) == MAIL["ALERT_EMAIL"]


def test_who_is_no_longer_set_is_deleted_once(tmp_path: Path) -> None:
    contact(tmp_path, ALERT_WEBHOOK=HOOK, **MAIL)
    told = contact(tmp_path, **MAIL)
    assert receivers(told).keys() == {"iot-email"}
    assert told["deleteContactPoints"] == [{"orgId": 1, "uid": "iot-webhook"}]
    assert contact(tmp_path) == {
        "resetPolicies": [1],
        "deleteContactPoints": [{"orgId": 1, "uid": "iot-email"}],
    }
    # What somebody makes in Grafana from now on stays.
    assert contact(tmp_path) == {"deleteContactPoints": None}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ALERT_WEBHOOK": "ops.example"}, "ALERT_WEBHOOK='ops.example': expected an address that"),
        ({"ALERT_WEBHOOK": "https://"}, "ALERT_WEBHOOK='https://': expected an address that"),
        (
            {"ALERT_WEBHOOK": "http://a b"},
            "ALERT_WEBHOOK='http://a b': expected an address without",
        ),
        ({**MAIL, "ALERT_EMAIL": "a@b, ops"}, "ALERT_EMAIL='a@b, ops': expected addresses as"),
        ({**MAIL, "ALERT_EMAIL": "<a@b>"}, "ALERT_EMAIL='<a@b>': expected addresses as"),
        *[
            ({**MAIL, "ALERT_EMAIL": bad}, f"ALERT_EMAIL='{bad}': expected addresses as")
            for bad in (",", " ", "-n", "a@b.c d@e.f", "a@b\nc@d", "a@b@c", "a@b,")
        ],
        ({"ALERT_EMAIL": "a@b"}, "ALERT_EMAIL='a@b': expected GF_SMTP_ENABLED=true with it"),
    ],
)
def test_a_contact_that_cannot_be_told_stops_the_start(
    tmp_path: Path, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(subprocess.CalledProcessError) as stopped:
        start(tmp_path, "first", **settings)
    assert stopped.value.stderr.startswith(message)


def test_the_folders_that_grafana_looks_for_exist_and_the_rules_are_among_them(
    tmp_path: Path,
) -> None:
    start(tmp_path, "first")
    found = {path.name for path in (tmp_path / "provisioning").iterdir()}
    assert found >= {"dashboards", "datasources", "alerting", "plugins", "notifiers"}
    assert (tmp_path / "provisioning" / "alerting" / "rules.yaml").is_file()
