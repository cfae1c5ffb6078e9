"""`audit`: compares accepted readings with InfluxDB."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from collector.audit.compare import Audit
from collector.audit.read_back import ReadBack
from collector.commands.duration import duration_s
from collector.commands.output import OK, WRONG, say, say_counts, say_reach
from collector.outbox.window import Window
from collector.settings import Settings

_MAX_LINES = 20


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    audit = subparsers.add_parser("audit", help="compare accepted readings with InfluxDB")
    audit.add_argument("--since", type=duration_s, help="only the last 90s, 30m, 1h, 2d, ...")
    audit.add_argument("--json", action="store_true", help="print the result as JSON")
    audit.set_defaults(run=_run)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    since = 0 if options.since is None else time.time() - options.since
    with Window(Path(settings.outbox_path), since) as window:
        audit = Audit(window, ReadBack(settings.influx))
        result = audit.run()
        unresolved = len(window.rejections())
    reaches = window.is_complete or options.since is None
    if options.json:
        say(json.dumps({**result._asdict(), "complete": window.is_complete}))
    else:
        say_counts(result._asdict())
        for line in audit.missing[:_MAX_LINES]:
            say(line)
        say_reach(window)
        if unresolved:
            say(f"{unresolved} readings were rejected: see `rejected`, which replays or discards")
    return OK if reaches and not (result.missing or unresolved) else WRONG
