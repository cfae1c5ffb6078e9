"""Configuration files for a broker and a database of our own, as `make run` and the tests need."""

import getpass
import os
from pathlib import Path
from string import Template

ROOT = Path(__file__).resolve().parent.parent
# Debian keeps mosquitto where only root's PATH leads.
SEARCH_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
MOSQUITTO_CONF = ROOT / "mosquitto" / "mosquitto.conf"
INFLUXDB_CONF = ROOT / "run" / "influxdb.conf"


def write_broker_configuration(directory: Path, port: int, settings: str = "") -> Path:
    """Write mosquitto.conf into `directory`: ours, on 127.0.0.1:`port`, its state in `directory`.

    `settings` are further lines; they come last and so win.
    """
    replaced = {
        "listener": f"listener {port} 127.0.0.1",
        "persistence_location": f"persistence_location {directory.resolve()}/",
    }
    lines = [
        replaced.get(line.split(" ", 1)[0], line)
        for line in MOSQUITTO_CONF.read_text(encoding="utf-8").splitlines()
    ]
    # Started by root, Mosquitto would become a user to whom `directory` is closed.
    lines += [f"user {getpass.getuser()}", settings]
    path = directory / "mosquitto.conf"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_influx_configuration(directory: Path, port: int, *, auth: bool = False) -> Path:
    """Write influxdb.conf into `directory`, where the data will lie; HTTP on 127.0.0.1:`port`."""
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
