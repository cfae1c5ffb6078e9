"""`replay`: publishes stored readings again, for a database that was lost."""

import argparse
import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from collector.commands.duration import duration_s
from collector.commands.outboxes import elsewhere, say_each, windows
from collector.commands.output import OK, WRONG, say, say_reach, say_text
from collector.commands.progress import progress
from collector.outbox.row import Row
from collector.outbox.window import Window
from collector.publishing.replayer import Outcome, Replayer, topics_of, total
from collector.settings import Settings
from telemetry.mqtt import temporary_client
from telemetry.printable import printable


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    command = subparsers.add_parser(
        "replay", help="publish stored readings again, for a database that was lost"
    )
    command.add_argument("--since", type=duration_s, required=True, help="90s, 30m, 1h, 2d, ...")
    command.set_defaults(run=_run)


def replay(
    settings: Settings, windows: Sequence[Window], rows: Callable[[Window], Iterable[Row]]
) -> int:
    """Replay rows of each outbox, and print the outcome; their collectors see the receipts too.

    A reading that InfluxDB already has is overwritten with itself. Ends with the first outbox for
    which receipts are missing.
    """
    outcomes, silence, why_rejected = {}, "", ""
    for window in windows:
        with progress(window) as on_progress:
            outcome, silence, why = asyncio.run(
                _replay(settings, window, rows(window), on_progress)
            )
        why_rejected = why_rejected or why
        outcomes[window.path.name] = outcome
        if outcome.unanswered:
            break
    outcome = total(outcomes.values())
    say(f"sent {outcome.sent}, stored {outcome.stored}, rejected {outcome.rejected}")
    say_each({name: own._asdict() for name, own in outcomes.items()})
    if outcome.rejected:
        say_text(f"the first that was rejected: {printable(why_rejected)}")
    if outcome.superseded:
        say_text(f"not sent, because a correction was stored: {outcome.superseded:,}")
    if outcome.unanswered:
        say_text(f"no receipt for {outcome.unanswered:,}: {silence}")
    return OK if outcome.sent == outcome.stored else WRONG


def _run(settings: Settings, options: argparse.Namespace) -> int:
    with windows(settings, time.time() - options.since) as opened:
        code = replay(settings, opened, Window.stored)
    say_reach(opened)
    return code if all(window.is_complete for window in opened) else WRONG


async def _replay(
    settings: Settings, window: Window, rows: Iterable[Row], on_progress: Callable[[int], None]
) -> tuple[Outcome, str, str]:
    """Return the outcome, why receipts are missing, and why the first reading was rejected."""
    async with temporary_client(settings.broker, *topics_of(window)) as connection:
        replayer = Replayer(connection, window, elsewhere(settings, window))
        outcome = await replayer.send(rows, on_progress)
        if connection.client.connected:
            silence = replayer.bridges.why_silent()
        else:
            silence = f"the connection to the MQTT broker ended: {connection.client.obstacle}"
        return outcome, silence, replayer.why_rejected
