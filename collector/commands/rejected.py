"""`rejected`: lists what InfluxDB rejected, and replays it once the cause is mended."""

import argparse
from pathlib import Path
from typing import Any

from collector.commands.output import OK, say
from collector.commands.replay import replay
from collector.outbox.window import Window
from collector.settings import Settings


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    rejected = subparsers.add_parser("rejected", help="list what InfluxDB rejected, with reasons")
    rejected.add_argument("--replay", action="store_true", help="replay it")
    rejected.set_defaults(run=_run)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    with Window(Path(settings.outbox_path), 0) as window:
        rejections = window.rejections()
        if options.replay:
            return replay(settings, window.outbox, (row for row, _ in rejections))
        for row, reason in rejections:
            say(f"{row.seq} {row.payload.decode()}\n  {reason}")
    return OK
