"""`python -m run.database DIRECTORY PORT DATABASE SECRET`: InfluxDB, restarted when it fails.

After its disk was full, InfluxDB answers every write with an error until it is restarted, while
/ping says that all is well. docker-compose.yml does the same in the health check of `db`.
"""

import argparse
import base64
import resource
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

CHECK_S = 5
DAY_S = 86_400
FAILURES = 3
"""Writes in a row that fail before InfluxDB is restarted."""
# While the disk is full, a restart would not help.
ROOM_BYTES = 10 * 1024 * 1024
# More than the shards of all years need; the distribution's default is 1,024.
OPEN_FILES = 65_536
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open  # it is on loopback


class Database:
    """An influxd, whose configuration and data are in `directory`."""

    def __init__(self, directory: Path, port: int, database: str, secret: Path) -> None:
        self._directory = directory
        query = urllib.parse.urlencode({"db": database, "precision": "s"})
        self._url = f"http://127.0.0.1:{port}/write?{query}"
        self._secret = secret
        self._failures = 0
        self._influxd: subprocess.Popen[bytes]

    def run(self) -> int:
        """Run until influxd ends by itself, and return its exit code, or until SystemExit."""
        self._start()
        try:
            while True:
                try:
                    code = self._influxd.wait(CHECK_S)
                    return code if code >= 0 else 128 - code  # as a shell returns a signal
                except subprocess.TimeoutExpired:
                    self._check()
        finally:
            self._end()

    def _start(self) -> None:
        configuration = str(self._directory / "influxdb.conf")
        # Should this process be killed, influxd must end too: the next needs its port and data.
        self._influxd = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "influxd", "-config", configuration]
        )

    def _end(self) -> None:
        self._influxd.terminate()
        try:
            self._influxd.wait(CHECK_S)
        except subprocess.TimeoutExpired:
            self._influxd.kill()
            self._influxd.wait()

    def _check(self) -> None:
        status = self._write()
        if status >= 500:  # noqa: PLR2004
            self._failures += 1
            if self._failures >= FAILURES and shutil.disk_usage(self._directory).free > ROOM_BYTES:
                self._restart()
        elif status:
            self._failures = 0

    def _restart(self) -> None:
        print("InfluxDB has stopped writing: restarting it", flush=True)  # noqa: T201
        self._end()
        self._failures = 0
        self._start()

    def _write(self) -> int:
        """Write one point, the same all day; return the status, 0 for no answer.

        It goes to the readings' database, because each shard has a write-ahead log of its own.
        """
        day = int(time.time()) // DAY_S * DAY_S
        body = f"health value=1 {day}".encode()
        request = urllib.request.Request(self._url, body)  # noqa: S310
        try:
            password = self._secret.read_text(encoding="utf-8").strip()
            account = base64.b64encode(f"bridge:{password}".encode()).decode()
            request.add_header("Authorization", f"Basic {account}")
            with _open(request, timeout=CHECK_S) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0


def main() -> int:
    """Run influxd; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m run.database", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("database")
    parser.add_argument("secret", type=Path, help="a file with the password of its user `bridge`")
    arguments = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    where = (arguments.directory, arguments.port, arguments.database, arguments.secret)
    return Database(*where).run()


if __name__ == "__main__":
    sys.exit(main())
