"""python -m tests.newest_broker: the tests of MQTT with Mosquitto 2.1, as in docker-compose.yml.

The distributions on which everything else is tested have 2.0. This one comes from a newer Debian
and runs with that release's libraries, without being installed.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from run.configuration import ROOT, SEARCH_PATH
from tests.compose.debian import KEYRING, unpack_with_libraries

RELEASE = "forky"
TESTS = (
    "tests/attacks/test_make_run.py",
    "tests/attacks/test_tls.py",
    "tests/device/test_tls.py",
    "tests/integration/test_bridge_session.py",
    "tests/integration/test_broker_persistence.py",
    "tests/integration/test_devices.py",
    "tests/integration/test_mqtt.py",
    "tests/integration/test_mqtt_rates.py",
    "tests/integration/test_mqtt_socket.py",
    "tests/integration/test_mqtt_strangers.py",
    "tests/integration/test_mqtt_tls.py",
    "tests/run/test_broker_configuration.py",
)


def unpack(directory: Path) -> Path:
    """Unpack the broker below `directory`; return the directory of its program `mosquitto`."""
    root = unpack_with_libraries("mosquitto", RELEASE, directory)
    program, libraries = root / "usr/sbin/mosquitto", next((root / "usr/lib").glob("*-linux-gnu"))
    subprocess.run(["ldconfig", "-n", libraries], env={"PATH": SEARCH_PATH}, check=True)
    loader = next(libraries.glob("ld-linux*.so*"))
    original = program.rename(program.with_suffix(".original"))
    program.write_text(f'#!/bin/sh\nexec {loader} --library-path {libraries} {original} "$@"\n')
    program.chmod(0o755)
    return program.parent


def main() -> int:
    """Run the tests; the arguments are pytest's. Return its exit code, 0 without Debian."""
    if not Path(KEYRING).exists():
        sys.stderr.write("NOT TESTED: Mosquitto 2.1, which comes from Debian's archive\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="broker-") as directory:
        path = f"{unpack(Path(directory))}:{os.environ['PATH']}"
        argv = [sys.executable, "-m", "pytest", *(sys.argv[1:] or TESTS)]
        return subprocess.run(
            argv, cwd=ROOT, env={**os.environ, "PATH": path}, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
