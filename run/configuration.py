"""Writes configuration files for a private broker and database, for `make run` and the tests."""

import getpass
import itertools
import os
import shutil
from pathlib import Path
from string import Template

ROOT = Path(__file__).resolve().parent.parent
# Debian installs mosquitto in /usr/sbin, which only root has in its PATH.
SEARCH_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
MOSQUITTO_CONF = ROOT / "mosquitto" / "mosquitto.conf"
PROVISIONING = ROOT / "grafana" / "provisioning"
INFLUXDB_CONF = ROOT / "run" / "influxdb.conf"
# A SIGKILL loses what arrived after the last snapshot, so it should not be much longer; the broker
# blocks while it writes one (up to about 50 ms), so it should not be much shorter. Default 1800.
_SNAPSHOT_S = 10


def persistence_plugin() -> Path | None:
    """Return the installed Mosquitto's plugin for persistence; None before version 2.1."""
    program = shutil.which("mosquitto", path=SEARCH_PATH)
    if program is None:
        return None
    libraries = Path(program).parent.parent / "lib"
    # Upstream installs it in lib itself, Debian in lib/<architecture>/mosquitto.
    places = (libraries.glob(f"{depth}mosquitto_persist_sqlite.so") for depth in ("", "*/*/"))
    return next(itertools.chain.from_iterable(places), None)


def write_broker_configuration(
    directory: Path,
    port: int,
    settings: str = "",
    *,
    accounts: bool = False,
    address: str = "127.0.0.1",
) -> Path:
    """Write broker.conf into `directory`, for `port` of `address` and with its state there.

    It is mosquitto/mosquitto.conf with the lines of `settings` appended, which take precedence.
    Without `accounts`, everybody may do everything. Without the plugin for persistence the broker
    saves a snapshot of its state instead.
    """
    state = directory.resolve()
    replaced = {
        "listener": f"listener {port} {address}",
        "password_file": f"password_file {state}/passwords" if accounts else "",
        "acl_file": f"acl_file {state}/rules" if accounts else "",
        "persistence_location": f"persistence_location {state}/",
    }
    if plugin := persistence_plugin():
        replaced["plugin"] = f"plugin {plugin}"
    else:
        replaced["plugin"] = f"persistence true\nautosave_interval {_SNAPSHOT_S}"
        replaced |= dict.fromkeys(("plugin_opt_flush_period", "plugin_opt_sync"), "")
    lines = [
        replaced.get(line.split(" ", 1)[0], line)
        for line in MOSQUITTO_CONF.read_text(encoding="utf-8").splitlines()
    ]
    # Started as root, Mosquitto would otherwise switch to a user without access to `directory`.
    lines += [f"user {getpass.getuser()}", settings]
    path = directory / "broker.conf"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_influx_configuration(directory: Path, port: int, *, auth: bool = False) -> Path:
    """Write influxdb.conf into `directory`, for 127.0.0.1:`port` and with the data there."""
    template = Template(INFLUXDB_CONF.read_text(encoding="utf-8"))
    path = directory / "influxdb.conf"
    path.write_text(
        template.substitute(
            directory=directory.resolve(),
            port=port,
            auth=str(auth).lower(),
        ),
        encoding="utf-8",
    )
    return path


def write_grafana_configuration(directory: Path) -> None:
    """Write what Grafana is provisioned with below `directory`, where the secrets are too."""
    provisioning = directory / "dashboard" / "provisioning"
    shutil.rmtree(provisioning, ignore_errors=True)  # of another version, perhaps
    for path in PROVISIONING.rglob("*.yaml"):
        copy = provisioning / path.relative_to(PROVISIONING)
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8")
        copy.write_text(text.replace("{/secrets/", f"{{{directory}/secrets/"), encoding="utf-8")
