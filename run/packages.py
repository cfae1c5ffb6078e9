"""`python -m run.packages NAME...`: install the Debian packages that are missing.

Runs before the Python environment exists, so it uses only the standard library.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from run.configuration import SEARCH_PATH

PROGRAMS = {
    "mosquitto": "mosquitto",
    "mosquitto-clients": "mosquitto_sub",
    "influxdb": "influxd",
    "curl": "curl",
    "wrk": "wrk",
}
# Packages whose own service would occupy the default port.
SERVICES = ("mosquitto", "influxdb")
APT_INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends")
POLICY = Path("/usr/sbin/policy-rc.d")


def missing(packages: Sequence[str]) -> list[str]:
    """Return those of `packages` (keys of PROGRAMS) whose program is not installed."""
    return [name for name in packages if not shutil.which(PROGRAMS[name], path=SEARCH_PATH)]


def require(packages: Sequence[str]) -> None:
    """Install `packages`. Without root or apt-get, exit with the command that installs them."""
    if not packages:
        return
    services = [name for name in packages if name in SERVICES]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        command = _command(packages, services)
        sys.exit(f"{', '.join(packages)}: not installed. Run this, then try again:\n  {command}")
    _install(packages)
    if services and shutil.which("systemctl"):
        # Packages installed only for this pipeline should not start at boot either.
        subprocess.run(["systemctl", "disable", *services], check=False)


def _command(packages: Sequence[str], services: Sequence[str]) -> str:
    command = f"sudo apt-get update && sudo {' '.join(APT_INSTALL)} {' '.join(packages)}"
    if services:
        command += f" && sudo systemctl disable --now {' '.join(services)}"
    return command


def _install(packages: Sequence[str]) -> None:
    """Run apt-get install, with a policy-rc.d script that keeps it from starting services."""
    add_policy = not POLICY.exists()
    if add_policy:
        POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        POLICY.chmod(0o755)
    environment = {**os.environ, "PATH": SEARCH_PATH, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(["apt-get", "update", "--quiet"], env=environment, check=False)
        installed = subprocess.run(
            [*APT_INSTALL, "--quiet", *packages], env=environment, check=False
        )
    finally:
        if add_policy:
            POLICY.unlink()
    if installed.returncode:
        sys.exit(f"apt-get could not install {', '.join(packages)}; see its output above")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m run.packages", description=__doc__)
    parser.add_argument("packages", nargs="+", choices=PROGRAMS)
    require(missing(parser.parse_args().packages))
