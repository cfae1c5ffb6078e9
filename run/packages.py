"""`python -m run.packages NAME...`: install Debian packages, as root.

Runs before the Python environment exists, so it uses only the standard library.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from run.configuration import SEARCH_PATH
from run.console import say, step

PROGRAMS = {
    "mosquitto": "mosquitto",
    "mosquitto-clients": "mosquitto_sub",
    "influxdb": "influxd",
    "curl": "curl",
    "chromium": "chromium",
    "wrk": "wrk",
    "haproxy": "haproxy",
}
# Packages whose own service would occupy the default port.
_SERVICES = ("mosquitto", "influxdb", "haproxy")
_APT_INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends", "--quiet")
_POLICY = Path("/usr/sbin/policy-rc.d")
_VENV = re.compile(r"python3(\.\d+)?-venv")
_MAX_LINES = 15


def missing(packages: Sequence[str]) -> list[str]:
    """Return those of `packages` (keys of PROGRAMS) whose program is not installed."""
    return [name for name in packages if not shutil.which(PROGRAMS[name], path=SEARCH_PATH)]


def can_install() -> bool:
    """Return whether this user is root, on a system that has apt-get."""
    return os.geteuid() == 0 and shutil.which("apt-get", path=SEARCH_PATH) is not None


def command(packages: Sequence[str]) -> str:
    """Return the command that installs `packages`, to be run in the root of the repository.

    It is not apt-get itself, which would also start the services of these packages.
    """
    install = f"{Path(sys.executable).name} -B -m run.packages {' '.join(packages)}"
    if os.geteuid() == 0:
        return install
    return f"sudo {install}" if shutil.which("sudo") else f"su -c {shlex.quote(install)}"


def require(packages: Sequence[str]) -> None:
    """Install `packages`; without root or apt-get, exit with the command that does."""
    if packages and not can_install():
        sys.exit(f"{', '.join(packages)}: not installed. As root:\n  {command(packages)}")
    install(packages)


def install(packages: Sequence[str]) -> None:
    """Install `packages` as root, without starting their services now or at boot."""
    if not packages:
        return
    with step("package lists (apt-get update)"):
        _apt(["apt-get", "update", "--quiet"])
    with step(f"packages {', '.join(packages)} (apt-get install)"), _no_service_starts():
        installed = _apt([*_APT_INSTALL, *packages])
    if installed.returncode:
        lines = installed.stdout.decode(errors="replace").splitlines()[-_MAX_LINES:]
        sys.exit("\n".join([*lines, f"apt-get could not install {', '.join(packages)}"]))
    services = [name for name in packages if name in _SERVICES]
    if services and shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", "--quiet", *services], check=False)


def _apt(argv: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    """Run apt-get to its end: interrupted by Ctrl-C, it would leave packages half installed."""
    environment = {**os.environ, "PATH": SEARCH_PATH, "DEBIAN_FRONTEND": "noninteractive"}
    apt = subprocess.Popen(
        argv,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = apt.communicate()
    except KeyboardInterrupt:
        say(" finishing it, so that no package is left half installed")
        apt.communicate()
        raise
    return subprocess.CompletedProcess(argv, apt.returncode, output)


class _no_service_starts:  # noqa: N801  used like a function
    """A policy that keeps apt-get from starting the services of packages."""

    def __enter__(self) -> None:
        self._added = not _POLICY.exists()
        if self._added:
            _POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
            _POLICY.chmod(0o755)

    def __exit__(self, *_: object) -> None:
        if self._added:
            _POLICY.unlink()


def main() -> None:
    """Install what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m run.packages", description=__doc__)
    parser.add_argument("packages", nargs="+", metavar="NAME")
    packages = parser.parse_args().packages
    for name in packages:
        if name not in PROGRAMS and not _VENV.fullmatch(name):
            parser.error(f"{name}: expected {', '.join(PROGRAMS)} or python3-venv")
    if not can_install():
        sys.exit("only root can install packages, and only where there is apt-get")
    install(packages)


if __name__ == "__main__":
    main()
