"""`rejected`: lists what InfluxDB rejected, replays it once the cause is mended, or discards it."""

import argparse
import json
from pathlib import Path
from typing import Any

from collector.commands.output import OK, say
from collector.commands.replay import replay
from collector.outbox.removal import discard_rejected
from collector.outbox.window import Window
from collector.settings import Settings


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    rejected = subparsers.add_parser("rejected", help="list what InfluxDB rejected, with reasons")
    action = rejected.add_mutually_exclusive_group()
    action.add_argument("--json", action="store_true", help="list it as NDJSON")
    action.add_argument("--replay", action="store_true", help="replay it")
    action.add_argument("--discard", action="store_true", help="remove it from the outbox")
    rejected.set_defaults(run=_run)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    path = Path(settings.outbox_path)
    if options.discard:
        say(f"discarded {discard_rejected(path)}")
        return OK
    with Window(path, 0) as window:
        rejections = window.rejections()
        if options.replay:
            return replay(settings, window, (row for row, _ in rejections))
    for row, reason in rejections:
        if options.json:
            say(json.dumps({"reading": json.loads(row.payload), "reason": reason}))
        else:
            say(f"{row.seq} {row.payload.decode()}\n  {reason}")
    return OK
