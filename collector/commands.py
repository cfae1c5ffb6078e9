"""`python -m collector books|audit|replay|rejected`: questions to the outbox beside its service."""

import argparse
import asyncio
import json
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from collector.audit import Audit, NoDatabase
from collector.books import read_books
from collector.outbox import Row
from collector.resend import resend
from collector.schema import OutboxUnusable
from collector.settings import Settings
from collector.window import Window, rejections
from telemetry.settings import SettingError, load

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHOWN = 20
_DONE, _WRONG, _UNUSABLE = 0, 1, 2


def main(arguments: list[str]) -> int:
    """Run one command; return 0 when all is well, 1 when something is missing, 2 on failure."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(load(Settings), options))
    except (SettingError, OutboxUnusable, NoDatabase) as error:
        sys.stderr.write(f"{options.command}: {error}\n")
        return _UNUSABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m collector", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    books = commands.add_parser("books", help="accepted = stored + rejected + pending?")
    books.set_defaults(run=_books)

    audit = commands.add_parser("audit", help="compare acknowledged readings with InfluxDB")
    audit.add_argument("--since", type=_duration_s, help="only the last 90s, 30m, 1h, 2d, ...")
    audit.add_argument("--json", action="store_true", help="the result as JSON")
    audit.set_defaults(run=_audit)

    replay = commands.add_parser(
        "replay", help="send confirmed readings again, into a database that was lost"
    )
    replay.add_argument("--since", type=_duration_s, required=True, help="90s, 30m, 1h, 2d, ...")
    replay.set_defaults(run=_replay)

    rejected = commands.add_parser("rejected", help="list what InfluxDB refused, with reasons")
    rejected.add_argument("--resend", action="store_true", help="send it again")
    rejected.set_defaults(run=_rejected)
    return parser


def _duration_s(text: str) -> int:
    match = re.fullmatch(r"(\d+)([smhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a number and a unit, such as 90s, 30m, 1h or 2d"
        )
    return int(match[1]) * _UNITS_S[match[2]]


def _books(settings: Settings, _: argparse.Namespace) -> int:
    books = read_books(Path(settings.outbox_path))
    for name, count in books._asdict().items():
        _say(f"{name:10}{count:12}")
    if books.unbalanced:
        _say(f"the books do not balance: {books.unbalanced} unaccounted for")
        return _WRONG
    _say("accepted = stored + rejected + pending")
    return _DONE


def _audit(settings: Settings, options: argparse.Namespace) -> int:
    since = 0 if options.since is None else time.time() - options.since
    with Window(Path(settings.outbox_path), since) as window:
        audit = Audit(window, settings)
        result = audit.run()
    if options.json:
        _say(json.dumps(result._asdict()))
    else:
        for name, count in result._asdict().items():
            _say(f"{name:11}{count:12}")
        for line in audit.missing[:_SHOWN]:
            _say(line)
        if window.pruned:
            _say(f"readings up to number {window.pruned} have left the outbox and were not audited")
    return _WRONG if result.missing else _DONE


def _replay(settings: Settings, options: argparse.Namespace) -> int:
    with Window(Path(settings.outbox_path), time.time() - options.since) as window:
        return _send_again(settings, window, window.stored())


def _rejected(settings: Settings, options: argparse.Namespace) -> int:
    with Window(Path(settings.outbox_path), 0) as window:
        letters = rejections(window)
        if options.resend:
            return _send_again(settings, window, (row for row, _ in letters))
        for row, reason in letters:
            _say(f"{row.seq} {row.payload.decode()}\n  {reason}")
    return _DONE


def _send_again(settings: Settings, window: Window, rows: Iterable[Row]) -> int:
    outcome = asyncio.run(resend(settings, window.id, rows))
    _say(f"sent {outcome.sent}, stored {outcome.stored}, rejected {outcome.rejected}")
    if outcome.sent > outcome.stored + outcome.rejected:
        _say("no receipt for the rest: do broker, bridge and InfluxDB run?")
    return _DONE if outcome.sent == outcome.stored else _WRONG


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
