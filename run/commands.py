"""`./pipeline COMMAND`: runs a command on the pipeline that runs here, natively or in Docker.

Uses only the standard library.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from run.configuration import ROOT
from run.environment import PYTHON
from run.parts import PARTS, account, simulator
from run.state import State, StateUnreadable
from run.workspace import WorkspaceError, directory, is_locked

_COLLECTOR = {
    "watch": "a table of the sensors, with value, age and rate",
    "books": "accepted = stored + rejected + pending?",
    "audit": "compare every accepted reading with InfluxDB",
    "replay": "publish stored readings again: replay --since 1h",
    "rejected": "what was rejected or could not be read, and why",
    "query": "ask InfluxDB: query 'SELECT * FROM data LIMIT 10'",
    "forget": "let go of readings that are deleted from InfluxDB on purpose",
    "formats": "what devices may send over MQTT; formats try TOPIC PAYLOAD",
    "devices": "who may send readings: devices add NAME --sensors 'kitchen,kitchen-*'",
    "certificates": "the certificates of TLS: certificates authority prints what devices trust",
    "backup": "copy the outbox (with Docker: to a file in the container)",
}
_OTHERS = {
    "check": "whether the bridge stores",
    "device": "a further simulated device, sensor 1000 unless told otherwise; by MQTT: --mqtt",
    "kill": "kill -9 a part, to see that nothing is lost: kill bridge",
}
# Not the sensor of the simulator that runs already: they would overwrite each other's readings.
_SENSOR = ["--sensor-id", "1000"]
# In a container, which knows whether it speaks TLS. Its arguments are a host, and its two ports.
_DEVICE = """
host=$1 port=$2
if [ "$TLS" ]; then port=$3; fi
shift 3
exec python -m device -h "$host" -p "$port" --tls "$TLS" --tls-ca /tls/ca.crt "$@"
"""
_COLLECTOR_AT = ["collector", "1337", "1337"]
_MQTT = "--mqtt"  # the device's option: it then speaks to the broker


class NothingRuns(Exception):
    """No pipeline of this checkout was found."""


class Native:
    """A pipeline of `make run`."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._state = State(run_dir)
        try:
            self._settings = self._state.settings()
        except FileNotFoundError:
            raise NothingRuns from None
        self._is_running = is_locked(run_dir)

    def python(self, service: str, arguments: Sequence[str]) -> int:
        """Become `python -m <service> <arguments>` with the settings of the pipeline."""
        if not PYTHON.exists():
            sys.exit(f"{PYTHON.parent.parent} is missing: `make run` makes it")
        if service == "simulator":
            by_mqtt = _MQTT in arguments
            name, usual = ("MQTT_PORT", "1883") if by_mqtt else ("COLLECTOR_PORT", "1337")
            port = self._settings.get(name, usual)
            arguments = [*simulator(self._run_dir, port), *_SENSOR, *arguments]
        module = "device" if service == "simulator" else service
        # -P: modules come from the checkout, not from the working directory.
        argv = [str(PYTHON), "-P", "-m", module, *arguments]
        settings = {**os.environ, **self._settings}
        if service != "simulator":
            settings |= account(self._run_dir, service)
        os.execve(argv[0], argv, {**settings, "PYTHONPATH": str(ROOT)})

    def kill(self, part: str) -> int:
        """Kill a part."""
        if not (self._is_running and self._state.kill(part)):
            sys.exit(f"{part} does not run at the moment")
        return 0


class Docker:
    """Containers of this checkout's docker-compose.yml."""

    def python(self, service: str, arguments: Sequence[str]) -> int:
        """Become `python -m <service> <arguments>` in the service's container."""
        command = ["python", "-m", service, *arguments]
        if service == "simulator":
            where = ["broker", "1883", "8883"] if _MQTT in arguments else _COLLECTOR_AT
            account = ["--user", "simulator", "--token-file", "/secrets/simulator"]
            command = ["sh", "-c", _DEVICE, "sh", *where, *account, *_SENSOR, *arguments]
        terminal = ["-t"] if sys.stdin.isatty() and sys.stdout.isatty() else []
        argv = ["docker", "exec", "-i", *terminal, self._container(service), *command]
        os.execvp(argv[0], argv)

    def kill(self, part: str) -> int:
        """Kill everything in a part's container but its init process.

        `docker kill` instead would tell Docker not to start it again.
        """
        argv = ["docker", "exec", self._container(part), "sh", "-c", "kill -9 -1"]
        return 0 if subprocess.run(argv, check=False).returncode in (0, 137) else 1

    def _container(self, service: str) -> str:
        if found := _containers(service):
            return found[0]
        sys.exit(f"{service} does not run: docker-compose up -d {service}")


def _containers(service: str) -> list[str]:
    """Return the ids of the running containers of a service of this checkout."""
    if not shutil.which("docker"):
        return []
    label = "label=com.docker.compose"
    argv = ["docker", "ps", "--quiet", "--filter", f"{label}.service={service}"]
    argv += ["--filter", f"{label}.project.working_dir={ROOT}"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    return done.stdout.split()


def _running() -> Native | Docker:
    """Return what runs; else what ran last without Docker, which has its outbox still."""
    run_dir = directory(os.environ)
    if not is_locked(run_dir) and _containers("collector"):
        return Docker()
    return Native(run_dir)


def main() -> int:
    """Run one command; return its exit code."""
    names = {**_COLLECTOR, **_OTHERS}
    parser = argparse.ArgumentParser(
        prog="./pipeline",
        usage="./pipeline COMMAND [ARGUMENT ...]",
        description="Commands for the pipeline that `make run` or docker-compose runs here.",
        epilog="\n".join(f"  {name:12} {text}" for name, text in names.items())
        + "\n\n./pipeline COMMAND --help lists a command's options. A RUN_DIR other than .run is"
        " taken from\nthe environment.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=names, metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, default=[], help=argparse.SUPPRESS)
    given = parser.parse_args()
    try:
        pipeline = _running()
    except (WorkspaceError, StateUnreadable) as error:
        sys.exit(str(error))
    except NothingRuns:
        sys.exit("No pipeline runs here: start it with `make run` or `docker-compose up -d`.")
    if given.command == "kill":
        kill = argparse.ArgumentParser(prog="./pipeline kill")
        kill.add_argument("part", choices=PARTS)
        return pipeline.kill(kill.parse_args(given.arguments).part)
    if given.command == "device":
        return pipeline.python("simulator", given.arguments)
    if given.command == "check":
        return pipeline.python("bridge", ["--check", *given.arguments])
    return pipeline.python("collector", [given.command, *given.arguments])
