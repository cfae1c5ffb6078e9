"""`python -m run.stack`: makes the secrets and configs of docker-stack.yml in a swarm.

The secrets come from .stack, where they are made once. `devices ...` behind it changes, as the
collector's command of that name, who may send readings to the cells.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import docker

from collector import commands
from collector.access import certificates, pem, register, secrets
from collector.access.broker import Terms
from collector.access.register import SIMULATOR
from run.configuration import ROOT
from run.console import say_trouble
from run.swarm import PREFIX, Contents, Swarm, SwarmError
from telemetry.process import ServiceError
from telemetry.settings import ConnectionSettings, load

DIRECTORY = ROOT / ".stack"
CERTIFICATES = (certificates.AUTHORITY, certificates.CERTIFICATE, certificates.KEY)
# The services' own would have to change in InfluxDB and at every broker at the same time.
_REPLACEABLE = {register.FILE, "grafana-admin", *CERTIFICATES}
CONFIGS = {
    "mosquitto.conf": "mosquitto/mosquitto.conf",
    "services.acl": "mosquitto/services.acl",
    "broker-start.sh": "mosquitto/start.sh",
    "dashboard-start.sh": "grafana/start.sh",
    "contact.sh": "grafana/contact.sh",
    "influxdb.yaml": "grafana/provisioning/datasources/influxdb.yaml",
    "iot.yaml": "grafana/provisioning/dashboards/iot.yaml",
    "rules.yaml": "grafana/provisioning/alerting/rules.yaml",
    "readings.json": "grafana/dashboards/readings.json",
    "pipeline.json": "grafana/dashboards/pipeline.json",
}
"""The files that are not secret, by their names in docker-stack.yml."""


def make_secrets(directory: Path, environ: Mapping[str, str]) -> dict[str, bytes]:
    """Make what is missing below `directory`; return the cells' secrets by name.

    TLS and GRAFANA_PASSWORD are taken from the environment. Raises ServiceError, or OSError.
    """
    own, accounts, tls = directory / "secrets", directory / "accounts", directory / "tls"
    names: Sequence[str] = load(ConnectionSettings, {"TLS": environ.get("TLS", "")}).tls_names
    secrets.make(own, accounts, Terms(opened=True), environ.get("GRAFANA_PASSWORD", ""))
    secrets.make_private(own)
    if not names and (found := certificates.load(tls)):
        names = pem.names_of(found[0][0])  # a device is added without a thought of TLS
    certificates.ensure(tls, names)
    files = [own / name for name in secrets.OWNERS if name != SIMULATOR]
    files += [accounts / register.FILE, *(tls / name for name in CERTIFICATES)]
    return {path.name: path.read_bytes() for path in files}


def put(client: docker.DockerClient, directory: Path, wanted: Contents) -> None:
    """Bring the swarm up to date, the secrets with `wanted`; raises SwarmError."""
    swarm = Swarm(client, "secret")
    for name in swarm.changed(wanted):
        if name not in _REPLACEABLE:
            raise SwarmError(
                f"the swarm has another secret {PREFIX}{name} than {directory}: bring back the"
                " directory that it was made from; nothing was changed"
            )
    swarm.put(wanted)
    Swarm(client, "config").put(
        {name: (ROOT / path).read_bytes() for name, path in CONFIGS.items()}
    )


def engine() -> docker.DockerClient:
    """Return the engine that DOCKER_HOST names, or this machine's; raises SwarmError."""
    try:
        return docker.from_env()
    except docker.errors.DockerException as error:
        where = os.environ.get("DOCKER_HOST") or "this machine"
        # With a cause, the text is what HTTP makes of it.
        reason = "none answers, or not to this user" if error.__cause__ else error
        raise SwarmError(f"no Docker engine at {where}: {reason}") from None


def main(arguments: list[str], directory: Path = DIRECTORY) -> int:
    """Return the exit code."""
    try:
        client = engine()
        make_secrets(directory, os.environ)
        if arguments:
            # The cells' ports are open to their network.
            os.environ |= {"ACCOUNTS_DIR": str(directory / "accounts"), "BIND_ADDRESS": "0.0.0.0"}  # noqa: S104
            if code := commands.main(arguments):
                return code
        put(client, directory, make_secrets(directory, os.environ))
    except (ServiceError, OSError, docker.errors.DockerException) as error:
        say_trouble(f"make stack: {error}")
        return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] not in ([], ["devices"]):
        sys.exit("usage: python -m run.stack [devices ...]")
    sys.exit(main(sys.argv[1:]))
