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


def make(secrets: Path, accounts: Path, terms: Terms, grafana_password: str = "") -> None:
    """Make what is missing of both directories, and mend what an interrupted start has left.

    A `grafana_password` takes the place of the random one. Raises OSError, RegisterUnusable, or
    SettingError, before anything is written, for one that is too easy to guess from the network.
    """
    if terms.opened:
        _refuse_short(secrets / _GRAFANA, grafana_password)
    secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    missing = [name for name in OWNERS if not _is_there(secrets / name)]
    for name in missing:
        if name != _PASSWORDS:
            _write(secrets / name, register.new_secret())
    if grafana_password:
        _write(secrets / _GRAFANA, grafana_password)
    known = {user: _read(secrets / file) for user, file in _BROKER.items()}
    if not _holds(secrets / _PASSWORDS, known):
        lines = (f"{user}:{password_line(password)}" for user, password in known.items())
        _write(secrets / _PASSWORDS, "\n".join(lines))
    is_new = SIMULATOR in missing or not (accounts / register.FILE).exists()
    with register.edit(accounts, lambda saved: broker.write(accounts, saved, terms)) as entries:
        new = register.entry(SIMULATOR, ["*"], _read(secrets / SIMULATOR))
        old = entries.get(SIMULATOR)
        if is_new or (old and old.sha256 != new.sha256):
            entries[SIMULATOR] = new


def make_private(secrets: Path) -> None:
    """Close files that were there before `make`, as those written by hand; raises OSError.

    Not for containers, whose users each read some of them.
    """
    secrets.chmod(0o700)
    for path in secrets.iterdir():
        path.chmod(0o600)


def give_to_containers(secrets: Path, accounts: Path, tls: Path) -> None:
    """Let each user read its files, and no other; needs root. Raises OSError.

    The certificates in `tls` may not exist.
    """
    secrets.chmod(0o755)
    for name, (user, group) in OWNERS.items():
        os.chown(secrets / name, user, group)
        (secrets / name).chmod(0o440)
    # What the collector writes there later is for the broker to read, and of `tls` all of it but
    # the keys for everybody.
    for directory, mode in ((accounts, 0o2750), (tls, 0o2755)):
        if directory.exists():
            for path in (directory, *directory.iterdir()):
                os.chown(path, _COLLECTOR, _MOSQUITTO)
            directory.chmod(mode)


def _refuse_short(path: Path, given: str) -> None:
    if given or _is_there(path):
        password = given.strip() if given else _read(path)
        if len(password) < _SHORTEST:
            raise SettingError(
                "GRAFANA_PASSWORD",
                password,
                f"Grafana is open to the network: expected at least {_SHORTEST} characters;"
                f" without the setting and the file {path} a random one is made",
            )


def _is_there(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _holds(path: Path, known: Mapping[str, str]) -> bool:
    """Return whether a file for the broker has these passwords, by user."""
    if not path.exists():
        return False
    parts = (line.partition(":") for line in _read(path).splitlines())
    lines = {user: line for user, _, line in parts}
    return lines.keys() == known.keys() and all(
        register.is_password(lines[user], password) for user, password in known.items()
    )


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def _write(path: Path, text: str) -> None:
    replace(path, f"{text}\n".encode(), 0o600)
