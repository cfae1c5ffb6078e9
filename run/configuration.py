"""Writes configuration files for a private broker and database, for `make run` and the tests."""

import getpass
import os
from pathlib import Path
from string import Template

ROOT = Path(__file__).resolve().parent.parent
# Debian installs mosquitto in /usr/sbin, which only root has in its PATH.
SEARCH_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
MOSQUITTO_CONF = ROOT / "mosquitto" / "mosquitto.conf"
INFLUXDB_CONF = ROOT / "run" / "influxdb.conf"


def write_broker_configuration(directory: Path, port: int, settings: str = "") -> Path:
    """Write mosquitto.conf into `directory`, for 127.0.0.1:`port` and with its state there.

    It is mosquitto/mosquitto.conf with the lines of `settings` appended, which take precedence.
    """
    replaced = {
        "listener": f"listener {port} 127.0.0.1",
        "persistence_location": f"persistence_location {directory.resolve()}/",
    }
    lines = [
        replaced.get(line.split(" ", 1)[0], line)
        for line in MOSQUITTO_CONF.read_text(encoding="utf-8").splitlines()
    ]
    # Started as root, Mosquitto would otherwise switch to a user without access to `directory`.
    lines += [f"user {getpass.getuser()}", settings]
    path = directory / "mosquitto.conf"
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
