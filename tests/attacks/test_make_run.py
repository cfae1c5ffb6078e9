"""The table of attacks, on what `make run` starts."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from run.configuration import ROOT
from tests.attacks.cases import *  # noqa: F403
from tests.attacks.target import Target
from tests.integration.test_core_files import core_limits
from tests.run.terminal import Terminal
from tests.service import wait_for

_SMALL = 64 << 20


class MakeRun(Target):
    """A pipeline of `make run`."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal.ports)
        self._terminal = terminal
        self.run_dir = Path(terminal.run_dir)

    def secret(self, name: str) -> str:
        return (self.run_dir / "secrets" / name).read_text(encoding="utf-8").strip()

    def command(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, ROOT / "pipeline", *words],
            env={"RUN_DIR": str(self.run_dir), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def traces(self) -> Mapping[str, bytes]:
        seen = {"terminal": self._terminal.raw.encode()}
        for pid in self._pids():
            for name in ("environ", "cmdline"):
                seen[f"{name} of {pid}"] = Path(f"/proc/{pid}/{name}").read_bytes()
        for path in self.run_dir.rglob("*"):
            if path.is_file() and self.run_dir / "secrets" not in path.parents:
                seen[str(path)] = path.read_bytes()[:_SMALL]
        return seen

    def outbox(self) -> str:
        with self.connect() as client:
            client.subscribe("status/collector/+")
            wait_for(lambda: client.messages, what="a status")
            return client.messages[0][0].rpartition("/")[2]

    def processes(self) -> Iterator[tuple[int, str]]:
        """Yield number and command line of each."""
        for pid in self._pids():
            with suppress(FileNotFoundError):
                yield pid, Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")

    def _pids(self) -> list[int]:
        mark = f"RUN_DIR={self.run_dir}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
            except OSError:  # it has ended
                continue
        return found


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeRun]:
    with Terminal(tmp_path_factory.mktemp("run") / "run") as terminal:
        terminal.wait("Ready in")
        target = MakeRun(terminal)
        target.add_devices()
        yield target


def test_no_other_user_reads_or_locks_what_is_kept(target: MakeRun) -> None:
    kept = [*target.run_dir.glob("outbox.db*"), target.run_dir / "lock"]
    assert len(kept) > 2
    for path in [*kept, *(target.run_dir / name for name in ("broker", "db", "dashboard"))]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_no_process_leaves_a_core_file(target: MakeRun) -> None:
    found = {name: core_limits(pid) for pid, name in target.processes()}
    for program in ("mosquitto", "influxd"):
        assert any(program in command for command in found)
    assert set(found.values()) == {(0, 0)}, found


def test_secrets_are_readable_by_their_owner_alone(target: MakeRun) -> None:
    secrets = target.run_dir / "secrets"
    assert secrets.stat().st_mode & 0o077 == 0
    identities = json.loads((target.run_dir / "accounts" / "identities.json").read_text())
    assert identities
    for path in [*secrets.iterdir(), target.run_dir / "accounts" / "identities.json"]:
        assert path.stat().st_mode & 0o077 == 0, path
