"""The passwords of the services, made at the first start: a file for each, with one line."""

import os
from collections.abc import Mapping
from pathlib import Path

from collector.access import broker, register
from collector.access.broker import Terms
from collector.access.register import SIMULATOR, password_line, replace
from telemetry.settings import SettingError

_BROKER = {"collector": "broker-collector", "bridge": "broker-bridge"}
_GRAFANA = "grafana-admin"
_PASSWORDS = "broker.passwd"
# The users and groups of the containers.
_COLLECTOR, _BRIDGE, _SIMULATOR = 10001, 10002, 10003
_MOSQUITTO, _INFLUXDB, _GRAFANA_USER = 1883, 1500, 472
OWNERS = {
    "broker-collector": (_COLLECTOR, _COLLECTOR),
    "broker-bridge": (_BRIDGE, _BRIDGE),
    _PASSWORDS: (_MOSQUITTO, _MOSQUITTO),
    "influx-bridge": (_BRIDGE, _INFLUXDB),
    "influx-auditor": (_COLLECTOR, _BRIDGE),
    "influx-grafana": (_GRAFANA_USER, _BRIDGE),
    _GRAFANA: (_GRAFANA_USER, _GRAFANA_USER),
    SIMULATOR: (_SIMULATOR, _SIMULATOR),
}
"""User and group of each file in containers: who reads it, and who else does."""
_SHORTEST = 8
_KNOWN = "admin"


def check(environ: Mapping[str, str], *, opened: bool) -> None:
    """Raise SettingError for what others could reach with a password that everybody knows."""
    password = environ.get("GRAFANA_PASSWORD", "")
    if opened and password and (password == _KNOWN or len(password) < _SHORTEST):
        raise SettingError(
            "GRAFANA_PASSWORD",
            password,
            f"BIND_ADDRESS opens Grafana to the network: expected at least {_SHORTEST} characters,"
            " or nothing for a random one",
        )


def make(secrets: Path, accounts: Path, terms: Terms, grafana_password: str = "") -> None:
    """Make what is missing of both directories; raises OSError, or RegisterUnusable.

    A `grafana_password` takes the place of the random one.
    """
    secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    missing = [name for name in OWNERS if not (secrets / name).exists()]
    for name in missing:
        if name != _PASSWORDS:
            _write(secrets / name, register.new_secret())
    if grafana_password:
        _write(secrets / _GRAFANA, grafana_password)
    if {*_BROKER.values(), _PASSWORDS} & set(missing):
        lines = (f"{user}:{password_line(_read(secrets / f))}" for user, f in _BROKER.items())
        _write(secrets / _PASSWORDS, "\n".join(lines))
    is_new = SIMULATOR in missing or not (accounts / register.FILE).exists()
    with register.edit(accounts, lambda saved: broker.write(accounts, saved, terms)) as entries:
        if is_new:
            secret = _read(secrets / SIMULATOR)
            entries[SIMULATOR] = register.entry(SIMULATOR, ["*"], secret)


def give_to_containers(secrets: Path, accounts: Path) -> None:
    """Let each user read its files, and no other; needs root. Raises OSError."""
    secrets.chmod(0o755)
    for name, (user, group) in OWNERS.items():
        os.chown(secrets / name, user, group)
        (secrets / name).chmod(0o440)
    # What the collector writes there later is for the broker to read.
    for path in (accounts, *accounts.iterdir()):
        os.chown(path, _COLLECTOR, _MOSQUITTO)
    accounts.chmod(0o2750)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def _write(path: Path, text: str) -> None:
    replace(path, f"{text}\n".encode(), 0o600)
