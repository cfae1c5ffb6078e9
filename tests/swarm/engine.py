"""A Docker engine whose death is that of a whole machine."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import docker
from docker import DockerClient

from run.configuration import SEARCH_PATH
from run.packages import require
from tests.service import Service, wait_for

START_S = 30.0
CGROUPS = Path("/sys/fs/cgroup")
# /run is a new one, so that nothing of the engine's stays there. Where a gateway is named, dockerd
# begins once there is a network, which comes from outside. Nothing on the gateway answers names, so
# that a registry is out of reach is known at once.
SCRIPT = """
mount -t tmpfs none /run
hostname "$1"
if [ "$2" ]; then
    echo "nameserver $2" >/run/resolv.conf
    mount --bind /run/resolv.conf /etc/resolv.conf
fi
shift 2
until ip route show default | grep -q .; do sleep 0.05; done
exec docker-init -- "$@"
"""


class Engine(Service):
    """dockerd in namespaces of its own: killing it kills its containers, mounts and networks.

    What is in `directory` stays, as on a machine's disk.
    """

    def __init__(self, name: str, directory: Path, *, gateway: str = "") -> None:
        """Prepare an engine on a machine called `name`, whose network has this gateway.

        Without one it is in the network of the tests, and its containers have none.
        """
        self.socket = directory / "docker.sock"
        self._cgroup = f"swarm-{os.getpid()}-{name}"
        unshare = ["unshare", *(["--net"] if gateway else []), "--mount", "--uts", "--pid"]
        dockerd = [
            *("dockerd", "--data-root", str(directory / "data")),
            *("--host", f"unix://{self.socket}", "--cgroup-parent", f"/{self._cgroup}"),
            *([] if gateway else ["--bridge=none", "--iptables=false"]),
        ]
        script = ["sh", "-ec", SCRIPT, "sh", name, gateway, *dockerd]
        super().__init__(
            name, directory, [*unshare, "--fork", "--kill-child", "--mount-proc", "--", *script]
        )

    @property
    def init(self) -> int:
        """The id of the first process in the namespaces."""
        return int(Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()[0])

    def start(self) -> None:
        """Start the machine; `init` exists when this returns."""
        self.socket.unlink(missing_ok=True)
        super().start()
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        wait_for(lambda: children.read_text().split(), what=f"{self.name}: first process")

    def is_ready(self) -> bool:
        return self.socket.exists() and not self.docker("version", check=False).returncode

    def stop(self, timeout: float = 10.0) -> int:
        """Let the engine end by itself; unshare passes no signal on."""
        if self.running:
            os.kill(self.init, signal.SIGTERM)
            wait_for(lambda: not self.running, timeout, f"{self.name} stopped")
        self.kill()
        return super().stop()

    def kill(self) -> None:
        """Kill everything that runs on this machine with -9, and wait until all of it is gone."""
        if self.running:
            os.kill(self.init, signal.SIGKILL)
        super().kill()
        for parent in CGROUPS.glob(f"*/{self._cgroup}"):
            wait_for(lambda p=parent: _removed(p), what=f"{parent} removed")  # type: ignore[misc]

    def docker(
        self, *arguments: str, check: bool = True, settings: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a docker command on this engine, with these variables of the environment.

        With `check`, AssertionError when it fails.
        """
        done = subprocess.run(
            ["docker", "--host", f"unix://{self.socket}", *arguments],
            env={**os.environ, **(settings or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or not done.returncode, f"docker {arguments}: {done.stderr}"
        return done

    def client(self) -> DockerClient:
        """Return the engine's API, to be closed."""
        return docker.DockerClient(f"unix://{self.socket}", timeout=300)


def _removed(cgroup: Path) -> bool:
    """Remove a control group with those in it; return False while some still have processes."""
    for path, _, _ in os.walk(cgroup, topdown=False):
        with contextlib.suppress(OSError):
            Path(path).rmdir()
    return not cgroup.exists()


def require_engine() -> None:
    """Install Docker's engine unless it is there; RuntimeError where that is impossible."""
    if os.geteuid() != 0:
        raise RuntimeError("these tests need root: they start Docker engines in namespaces")
    if not shutil.which("dockerd", path=SEARCH_PATH):
        require(["docker.io", "iptables"])
