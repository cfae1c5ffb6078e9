"""`replay`: publishes stored readings again, for a database that was lost."""

import argparse
import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from collector.commands.duration import duration_s
from collector.commands.output import OK, WRONG, say, say_reach, say_text
from collector.commands.progress import progress
from collector.outbox.row import Row
from collector.outbox.window import Window
from collector.publishing.replayer import Outcome, Replayer, topics_of
from collector.settings import Settings
from telemetry.mqtt import temporary_client


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    command = subparsers.add_parser(
        "replay", help="publish stored readings again, for a database that was lost"
    )
    command.add_argument("--since", type=duration_s, required=True, help="90s, 30m, 1h, 2d, ...")
    command.set_defaults(run=_run)


def replay(settings: Settings, window: Window, rows: Iterable[Row]) -> int:
    """Replay rows of an outbox and print the outcome; the running collector sees the receipts too.

    A reading that InfluxDB already has is overwritten with itself.
    """
    with progress(window) as on_progress:
        outcome, silence = asyncio.run(_replay(settings, window, rows, on_progress))
    say(f"sent {outcome.sent}, stored {outcome.stored}, rejected {outcome.rejected}")
    if outcome.superseded:
        say_text(f"not sent, because a correction was stored: {outcome.superseded:,}")
    if rest := outcome.sent - outcome.stored - outcome.rejected:
        say_text(f"no receipt for {rest:,}: {silence}")
    return OK if outcome.sent == outcome.stored else WRONG


def _run(settings: Settings, options: argparse.Namespace) -> int:
    with Window(Path(settings.outbox_path), time.time() - options.since) as window:
        code = replay(settings, window, window.stored())
    say_reach(window)
    return code if window.is_complete else WRONG


async def _replay(
    settings: Settings, window: Window, rows: Iterable[Row], on_progress: Callable[[int], None]
) -> tuple[Outcome, str]:
    """Return the outcome, and why receipts are missing, if any are."""
    async with temporary_client(settings.broker, *topics_of(window)) as connection:
        replayer = Replayer(connection, window)
        outcome = await replayer.send(rows, on_progress)
        if connection.client.connected:
            return outcome, replayer.bridges.why_silent()
        return outcome, f"the connection to the MQTT broker ended: {connection.client.obstacle}"
