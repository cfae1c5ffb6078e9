"""Checks the settings of `make run` before anything is started."""

import contextlib
import difflib
import io
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping

import msgspec

import bridge.settings
import collector.settings
import device.arguments
from collector.formats.formats import Formats
from collector.http.origins import Origins
from run.configuration import ROOT, SEARCH_PATH
from run.workspace import PORTS, WorkspaceError
from telemetry.listeners import listen
from telemetry.settings import SettingError, load

_SERVICES = (collector.settings.Settings, bridge.settings.Settings)
_ALERTS = {
    "ALERT_WEBHOOK", "ALERT_EMAIL", "GF_SMTP_ENABLED", "GF_SMTP_HOST", "GF_SMTP_USER",
    "GF_SMTP_PASSWORD", "GF_SMTP_FROM_ADDRESS", "GF_SERVER_ROOT_URL",
}  # fmt: skip
_OWN = {*PORTS, "MQTTS_PORT", "RUN_DIR", "SIMULATOR_OPTIONS", "GRAFANA_PASSWORD", "BIND_ADDRESS"}
# Set by `make run` itself.
_FIXED = {
    "MQTT_USERNAME": "its broker has accounts of its own",
    "MQTT_PASSWORD": "its broker has accounts of its own",
    "INFLUX_USERNAME": "its InfluxDB has accounts of its own",
    "INFLUX_PASSWORD": "its InfluxDB has accounts of its own",
    "INFLUX_AUDITOR_PASSWORD": "its InfluxDB has accounts of its own",
    "INFLUX_GRAFANA_PASSWORD": "its InfluxDB has accounts of its own",
    "MQTT_TLS_CA": "its broker is reached on 127.0.0.1",
    "INFLUX_TLS_CA": "its InfluxDB is reached on 127.0.0.1",
    "ACCOUNTS_DIR": "the accounts are in RUN_DIR",
    "TLS_DIR": "the certificates are in RUN_DIR",
    "MQTT_BROKER": "its broker is Mosquitto",
    "MQTT_HOST": "it starts its own broker on 127.0.0.1",
    "INFLUX_HOST": "it starts its own InfluxDB on 127.0.0.1",
    "OUTBOX_PATH": "the outbox is in RUN_DIR",
    "BRIDGE_METRICS_HOST": "the bridge serves its metrics on 127.0.0.1",
}
_OF_COMPOSE = {
    "INFLUX_AUTH": "its InfluxDB always asks for a password",
}
# A name that is as near to a setting as this was probably meant to be one.
_NEAR = 0.84


def of_the_services() -> set[str]:
    """Return the names of the settings of collector and bridge."""
    return {f.name.upper() for kind in _SERVICES for f in msgspec.structs.fields(kind)}


def effective(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment without the settings that have no effect."""
    return {name: text for name, text in environ.items() if name not in _FIXED | _OF_COMPOSE}


def check(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Check values and names; return notes about names that have no effect.

    Raises WorkspaceError for a value that cannot be used, and for an unknown name that was typed
    behind `make run`.
    """
    ignored = _FIXED | _OF_COMPOSE
    known = of_the_services() | _OWN | _ALERTS
    for name in sorted(_typed(environ) - known - ignored.keys() - {"PYTHON", "ARGS"}):
        raise WorkspaceError(f"{name} is not a setting{_meant(name, known)}; see docs/settings.md")
    try:
        given = effective(environ)
        for kind in _SERVICES:
            load(kind, given)
        Formats.of(load(collector.settings.Settings, given))
        collector.settings.refuse_tokens_file(environ)
        Origins.load(environ.get("ALLOWED_ORIGINS", ""))
        if "COLLECTOR_HOST" in environ:
            for listener in listen(environ["COLLECTOR_HOST"], 0, "COLLECTOR"):
                listener.close()
    except SettingError as error:
        raise WorkspaceError(str(error)) from None
    _check_simulator(environ.get("SIMULATOR_OPTIONS", ""))
    _check_alerts(environ)
    notes = [
        f"{name} has no effect on make run: {reason}"
        for name, reason in ignored.items()
        if name in environ
    ]
    return [*notes, *_misspelled(environ, known | ignored.keys())]


def _check_alerts(environ: Mapping[str, str]) -> None:
    given = {name: environ[name] for name in _ALERTS & environ.keys()}
    done = subprocess.run(
        ["sh", str(ROOT / "grafana" / "contact.sh")],
        env={"PATH": SEARCH_PATH, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise WorkspaceError(done.stderr.strip())


def _check_simulator(options: str) -> None:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            device.arguments.parse(["-h", "127.0.0.1", "-p", "1", *shlex.split(options)])
    except ValueError as error:  # a quotation mark is missing
        raise WorkspaceError(f"SIMULATOR_OPTIONS={options!r}: {error}") from None
    except SystemExit:
        reason = said.getvalue().strip().partition("error: ")[2]
        raise WorkspaceError(f"SIMULATOR_OPTIONS={options!r}: {reason or 'no help here'}") from None


def _misspelled(environ: Mapping[str, str], known: set[str]) -> Iterator[str]:
    for name in sorted(environ.keys() - known):
        if meant := _meant(name, known):
            yield f"{name} is not a setting{meant}"


def _meant(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name.upper(), known, 1, _NEAR)
    return f": did you mean {near[0]}?" if near else ""


def _typed(environ: Mapping[str, str]) -> set[str]:
    """Return the names of the variables typed behind `make`, which tells them in MAKEFLAGS."""
    _, _, words = environ.get("MAKEFLAGS", "").partition("-- ")
    # A space in a value has a backslash before it; quotation marks mean nothing.
    return {word.partition("=")[0] for word in re.split(r"(?<!\\)\s+", words) if "=" in word}
