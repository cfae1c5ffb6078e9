"""`formats`: what the collector takes over MQTT, and what becomes of a message."""

import argparse
import sys
from typing import Any

from collector.commands.output import OK, WRONG, say
from collector.devices.payload import read as read_device
from collector.formats.catalog import DEVICES, chosen, families
from collector.formats.formats import Formats
from collector.intake.draft import draft
from collector.settings import Settings
from telemetry import topics
from telemetry.decode import Unreadable, boundary
from telemetry.printable import printable

_MAX_SHOWN = 500


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    formats = subparsers.add_parser("formats", help="what devices may send over MQTT")
    formats.set_defaults(run=_list)
    tried = formats.add_subparsers(metavar="try").add_parser(
        "try", help="the readings that a message becomes, or why it is refused"
    )
    tried.add_argument("topic", metavar="TOPIC")
    tried.add_argument("payload", metavar="PAYLOAD", help="- reads it from the input")
    tried.set_defaults(run=_try)


def _list(settings: Settings, _: argparse.Namespace) -> int:
    _formats(settings)  # it checks all three settings
    taken = chosen(settings.formats)
    _say_one(DEVICES, [topics.DEVICES + "{sensor}[/{type}]"], is_taken=DEVICES in taken)
    for name, family in families().items():
        _say_one(name, [str(rule["topic"]) for rule in family.rules], is_taken=name in taken)
    if settings.formats_file:
        own = Formats.load("", settings.formats_file, settings.time_zone)
        _say_one("FORMATS_FILE", own.topics, is_taken=True)
    return OK


def _say_one(name: str, patterns: list[str], *, is_taken: bool) -> None:
    for pattern in patterns:
        say(f"{name:20}{'taken' if is_taken else '-':7}{pattern}")
        name = ""


def _try(settings: Settings, options: argparse.Namespace) -> int:
    payload = options.payload.encode(errors="surrogateescape")
    if options.payload == "-":
        payload = sys.stdin.buffer.read()
    try:
        return _say_readings(_formats(settings), options.topic, payload)
    except Unreadable as refused:
        say(f"refused: {printable(str(refused), _MAX_SHOWN)}")
        return WRONG


@boundary
def _say_readings(formats: Formats, topic: str, payload: bytes) -> int:
    """Print what the collector would keep; raises Unreadable for what it would refuse."""
    if topic.startswith(topics.DEVICES) and formats.takes_devices:
        drafts, skipped = read_device(topic, payload).drafts, 0
    elif formats.takes(topic):
        readings, skipped = formats.read(topic, payload)
        drafts = [draft(reading) for reading in readings]
    else:
        raise ValueError("no format that is chosen has this topic: `formats` lists them")
    for kept in drafts:
        say(printable(kept.body.decode(), _MAX_SHOWN))
    say(f"readings: {len(drafts)}; values that are no numbers: {skipped}")
    return OK


def _formats(settings: Settings) -> Formats:
    return Formats.load(settings.formats, settings.formats_file, settings.time_zone)
