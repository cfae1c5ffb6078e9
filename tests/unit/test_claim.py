"""Which outbox a collector takes, and which ones nobody has."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from collector.outbox.claim import claim, opened, unheld
from collector.outbox.outbox import Outbox
from collector.outbox.schema import OutboxHeld
from run.configuration import ROOT
from tests.unit.outbox_files import claiming, files, names, settings_in

_CLAIM = """
import asyncio, sys
from collector.outbox.claim import claim
from collector.settings import Settings

async def run():
    print(claim(Settings(outbox_path=sys.argv[1])).path.name, flush=True)
    sys.stdin.read()

asyncio.run(run())
"""


def test_each_collector_takes_the_first_that_nobody_has(tmp_path: Path) -> None:
    def check(claimed: list[Outbox]) -> None:
        assert names(claimed) == ["outbox.db", "outbox-2.db", "outbox-3.db"]
        assert len({outbox.id for outbox in claimed}) == 3
        claimed.pop(1).close()
        claimed.append(claim(settings_in(tmp_path)))
        assert names(claimed)[-1] == "outbox-2.db"

    claiming(tmp_path, 3, check)


def test_files_do_not_multiply_when_collectors_come_and_go(tmp_path: Path) -> None:
    for count in (3, 1) * 20:
        claiming(tmp_path, count, lambda _: None)
    assert files(tmp_path) == {"outbox.db", "outbox-2.db", "outbox-3.db"}


def test_those_that_nobody_has_are_found_and_looking_takes_none(tmp_path: Path) -> None:
    claiming(tmp_path, 3, lambda _: None)
    first = tmp_path / "outbox.db"

    def check(_: list[Outbox]) -> None:
        assert unheld(first) == [tmp_path / "outbox-3.db"]

    claiming(tmp_path, 2, check)
    assert len(unheld(first) or []) == 3


def test_nobody_looks_while_a_collector_takes_one(tmp_path: Path) -> None:
    first = tmp_path / "outbox.db"
    claiming(tmp_path, 1, lambda _: None)
    with (tmp_path / "outbox.db.claim").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        assert unheld(first) is None
    assert unheld(first) == [first]


def test_a_held_one_cannot_be_opened(tmp_path: Path) -> None:
    def check(claimed: list[Outbox]) -> None:
        with pytest.raises(OutboxHeld):
            opened(claimed[0].path, settings_in(tmp_path))

    claiming(tmp_path, 1, check)


@pytest.mark.parametrize("count", [2, 8])
def test_processes_that_claim_at_once_take_one_each(tmp_path: Path, count: int) -> None:
    argv = [sys.executable, "-c", _CLAIM, str(tmp_path / "outbox.db")]
    pipe = subprocess.PIPE
    claimers = [
        subprocess.Popen(argv, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(count)
    ]
    try:
        taken = {one.stdout.readline().strip() for one in claimers if one.stdout}
    finally:
        for one in claimers:
            one.communicate()
    assert taken == files(tmp_path)
    assert len(taken) == count
