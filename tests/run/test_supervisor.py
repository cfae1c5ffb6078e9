"""How a part is kept running, by itself."""

import asyncio
import os
from pathlib import Path

import pytest

from run import supervisor
from run.console import PartLines
from run.parts import Command

FAILING = Command("dashboard", ["sh", "-c", "echo no home; exit 1"], is_optional=True)


def has_ended(pid: int | None) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_what_waits_to_be_started_again_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_SETTLED_S", 0.1)  # the waits between are longer
    troubles: set[str | None] = set()
    starts: list[int | None] = []

    async def watch() -> None:
        part = supervisor.Part(FAILING, os.environ, PartLines(["dashboard"]))
        run = part.run(lambda: starts.append(part.pid), asyncio.Event())
        running = asyncio.create_task(run, name="part")
        async with asyncio.timeout(30):
            while len(starts) < 4:
                waits = len(starts) > 1 and has_ended(starts[-1])
                await asyncio.sleep(0.05)
                if waits:
                    troubles.add(part.trouble)
        part.stop()
        await running

    asyncio.run(watch())
    assert troubles == {"ended with exit code 1: no home"}
