"""`rejected`: lists what was rejected, replays it once the cause is mended, or discards it."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from collector.commands.dead_letters import Told, dead_letters
from collector.commands.outboxes import paths, windows
from collector.commands.output import OK, say, say_text
from collector.commands.replay import replay
from collector.outbox.removal import discard_rejected
from collector.outbox.row import Row
from collector.outbox.window import Window
from collector.settings import Settings
from telemetry import timestamp
from telemetry.mqtt.temporary import BrokerUnreachable
from telemetry.printable import printable


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    rejected = subparsers.add_parser("rejected", help="list what was rejected, with reasons")
    action = rejected.add_mutually_exclusive_group()
    action.add_argument("--json", action="store_true", help="list it as NDJSON")
    action.add_argument("--replay", action="store_true", help="replay what the outbox has of it")
    action.add_argument("--discard", action="store_true", help="remove it from the outbox")
    rejected.set_defaults(run=_run)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    if options.discard:
        say(f"discarded {sum(map(discard_rejected, paths(settings)))}")
        return OK
    with windows(settings, 0) as opened:
        if options.replay:
            return replay(settings, opened, _rows)
        rejections = [rejection for window in opened for rejection in window.rejections()]
    (_list_as_json if options.json else _list)(rejections)
    sys.stdout.flush()  # before what is said of the broker
    try:
        letters = dead_letters(settings)
    except BrokerUnreachable as error:
        sys.stderr.write(f"rejected: no dead letters of MQTT devices: {error}\n")
        return OK
    (_list_letters_as_json if options.json else _list_letters)(letters)
    return OK


def _rows(window: Window) -> list[Row]:
    return [row for row, _ in window.rejections()]


def _list(rejections: Sequence[tuple[Row, str]]) -> None:
    say(f"accepted, and rejected: {_count(rejections)}")
    for row, reason in rejections:
        say(f"  {row.series} at {timestamp.render(row.ns)}: {row.value!r} (number {row.seq})")
        say(f"    {printable(reason)}")
    if rejections:
        say_text("`rejected --replay` publishes them again, `rejected --discard` gives them up")


def _list_as_json(rejections: Sequence[tuple[Row, str]]) -> None:
    for row, reason in rejections:
        reading = json.loads(row.payload)
        say(json.dumps({"kind": "reading", "reading": reading, "reason": reason}))


def _list_letters(told: Sequence[Told]) -> None:
    say(f"last messages of MQTT devices that were not stored: {_count(told)}")
    for service, instance, letter in told:
        by = f"{printable(service, 40)} {printable(instance, 40)}"
        say(f"  {printable(letter.at, 40)} {printable(letter.topic)} (told by {by})")
        say(f"    {printable(letter.reason)}")
        say(f"    {printable(letter.payload)}")


def _list_letters_as_json(told: Sequence[Told]) -> None:
    for service, instance, letter in told:
        members = {"service": service, "instance": instance, **msgspec.to_builtins(letter)}
        say(json.dumps({"kind": "message", **members}))


def _count(listed: Sequence[object]) -> str:
    return f"{len(listed):,}" if listed else "none"
