"""The parts of the pipeline: their commands and their environment."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from run.configuration import ROOT, SEARCH_PATH
from run.environment import PYTHON
from run.grafana import Grafana
from run.workspace import Workspace

PARTS = ("broker", "db", "collector", "bridge", "dashboard", "simulator")
_INFLUX_ACCOUNTS = {"collector": "auditor", "bridge": "bridge"}
SECRETS, ACCOUNTS, TLS = "secrets", "accounts", "tls"
"""Directories below RUN_DIR."""
_START = ["sh", str(ROOT / "mosquitto" / "start.sh")]
_GRAFANA = ["sh", str(ROOT / "grafana" / "start.sh")]
_BROKER_PATHS = ("broker/broker.conf", SECRETS, ACCOUNTS, "broker")
# What is stopped together; each group only when the one before it has ended.
STOP_ORDER = (("simulator",), ("collector", "bridge", "dashboard"), ("broker", "db"))


class Command(NamedTuple):
    """How a part is started; `settings` are its own."""

    name: str
    argv: list[str]
    settings: Mapping[str, str] = {}
    may_end: bool = False
    """Whether it is not started again after exit code 0."""
    is_optional: bool = False
    """Whether the others go on without it, also if it cannot be started."""


def commands(workspace: Workspace, environ: Mapping[str, str]) -> list[Command]:
    """Return the commands of the parts in the order of their start; simulator last.

    The dashboard is among them only if Grafana is installed.
    """
    directory, port = workspace.directory, workspace.ports
    python = [str(PYTHON), "-m"]
    walk = ["--pattern", "walk"]
    options = shlex.split(environ.get("SIMULATOR_OPTIONS", ""))
    secret = str(directory / SECRETS / "influx-bridge")
    influx = [str(directory / "db"), str(port["INFLUX_PORT"]), _database(environ), secret]
    collector_port = str(port["COLLECTOR_PORT"])
    return [
        Command("broker", [*_START, *(str(directory / path) for path in _BROKER_PATHS)]),
        Command("db", [*python, "run.database", *influx]),
        Command("collector", [*python, "collector"], account(directory, "collector")),
        Command("bridge", [*python, "bridge"], account(directory, "bridge")),
        *([_dashboard(directory, workspace.grafana)] if workspace.grafana else []),
        Command(
            "simulator",
            [*python, "device", *simulator(directory, collector_port), "--quiet", *walk, *options],
            may_end=True,
        ),
    ]


def _dashboard(directory: Path, grafana: Grafana) -> Command:
    argv = [*_GRAFANA, str(directory), *grafana.argv]
    return Command("dashboard", argv, grafana.environment, is_optional=True)


def account(directory: Path, service: str) -> dict[str, str]:
    """Return the settings with which a service is let in."""
    secrets = directory / SECRETS
    found = {
        "MQTT_USERNAME": service,
        "MQTT_PASSWORD_FILE": str(secrets / f"broker-{service}"),
        "INFLUX_USERNAME": _INFLUX_ACCOUNTS[service],
        "INFLUX_PASSWORD_FILE": str(secrets / f"influx-{_INFLUX_ACCOUNTS[service]}"),
    }
    if service == "bridge":  # which makes these accounts
        for reader in ("auditor", "grafana"):
            found[f"INFLUX_{reader.upper()}_PASSWORD_FILE"] = str(secrets / f"influx-{reader}")
    return found


def simulator(directory: Path, port: str) -> list[str]:
    """Return the options of a simulated device: where it sends, and who it is."""
    secret = str(directory / SECRETS / "simulator")
    return ["-h", "127.0.0.1", "-p", port, "--user", "simulator", "--token-file", secret]


def settings(workspace: Workspace, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings with which collector and bridge find everything."""
    # The collector's page links to Grafana where there is one.
    ports = workspace.ports if workspace.grafana else {**workspace.ports, "GRAFANA_PORT": 0}
    return {
        "INFLUX_DATABASE": _database(environ),
        **{name: str(port) for name, port in ports.items()},
        "MQTT_HOST": "127.0.0.1",
        "INFLUX_HOST": "127.0.0.1",
        "BRIDGE_METRICS_HOST": "127.0.0.1",
        "OUTBOX_PATH": str(workspace.directory / "outbox.db"),
        "ACCOUNTS_DIR": str(workspace.directory / ACCOUNTS),
        "TLS_DIR": str(workspace.directory / TLS),
        "COLLECTOR_HOST": workspace.collector_host,
        "BIND_ADDRESS": workspace.bind_address,
    }


def environment(workspace: Workspace, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of all parts."""
    own = {
        "RUN_DIR": str(workspace.directory),
        "PYTHONUNBUFFERED": "1",
        "PATH": f"{Path(PYTHON).parent}:{SEARCH_PATH}",
    }
    found = {**environ, **settings(workspace, environ), **own, **_grafana(workspace)}
    # They are make's, and mean nothing to the parts.
    return {name: text for name, text in found.items() if name not in ("MAKEFLAGS", "MFLAGS")}


def _database(environ: Mapping[str, str]) -> str:
    return environ.get("INFLUX_DATABASE", "iot")


def _grafana(workspace: Workspace) -> dict[str, str]:
    dashboards = ROOT / "grafana" / "dashboards"
    state = workspace.directory / "dashboard"
    password = workspace.directory / SECRETS / "grafana-admin"
    return {
        "INFLUX_URL": f"http://127.0.0.1:{workspace.ports['INFLUX_PORT']}",
        "DASHBOARDS_PATH": str(dashboards),
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(dashboards / "readings.json"),
        "GF_SECURITY_ADMIN_PASSWORD": f"$__file{{{password}}}",
        "GF_SERVER_HTTP_ADDR": workspace.bind_address,
        "GF_SERVER_HTTP_PORT": str(workspace.ports["GRAFANA_PORT"]),
        # What it does at its first start fills pages; the terminal shows errors.
        "GF_LOG_MODE": "console file",
        "GF_LOG_CONSOLE_LEVEL": "error",
        "GF_LOG_FILE_LEVEL": "info",
        "GF_PATHS_DATA": str(state),
        "GF_PATHS_LOGS": str(state / "log"),
        "GF_PATHS_PLUGINS": str(state / "plugins"),
        "GF_PATHS_PROVISIONING": str(state / "provisioning"),
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
    }
