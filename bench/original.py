"""The original collector beside ours, if Node is installed."""

import shutil
import subprocess
from pathlib import Path

from bench.row import Row
from bench.server import Server
from bench.usage import peak_mb, per_reading, usage
from bench.wrk import wrk
from tests.stack import Influx, free_port

_CONNECTIONS = 64
_INSTALL_S = 120
_NPM_INSTALL = ["npm", "install", "--no-audit", "--no-fund"]


class Missing(Exception):
    """The original collector cannot run here; the text says why."""


def install(directory: Path) -> Path:
    """Install the script and its packages into `directory`; raises Missing."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            raise Missing(f"{program} not found")
    directory.mkdir(parents=True, exist_ok=True)
    script = Path(shutil.copy(Path(__file__).with_suffix(".js"), directory))
    try:
        subprocess.run(
            [*_NPM_INSTALL, "--prefix", str(directory), "express", "influx"],
            check=True,
            capture_output=True,
            timeout=_INSTALL_S,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise Missing(f"npm could not install express and influx: {error}") from None
    return script


def measure(script: Path, directory: Path, client: str, seconds: float) -> Row:
    """Measure single POSTs over 64 connections to the script, writing with `client`."""
    with Influx(directory / "influx") as influx:
        influx.query("CREATE DATABASE iot", db="")
        port = free_port()
        argv = ["node", str(script), str(port), str(influx.port), client]
        with Server("original", directory, argv, port) as service:
            pids = {"collector": service.pid, "database": influx.pid}
            before = usage(pids)
            answers = wrk(port, _CONNECTIONS, seconds)
            after = usage(pids)
            peaks = {name: peak_mb(pid) for name, pid in pids.items()}
    readings = answers.answered - answers.failed
    cpu = per_reading(before, after, readings)
    cpu["load"] = answers.cpu_s / max(readings, 1) * 1e6
    return Row(
        readings=readings,
        seconds=answers.seconds,
        rate=readings / answers.seconds,
        p50_ms=answers.p50_ms,
        p99_ms=answers.p99_ms,
        cpu_us=cpu,
        peak_mb=peaks,
        violations=[f"{answers.failed} requests failed"] if answers.failed else [],
    )
