"""`forget`: lets go of stored readings that are about to be deleted from InfluxDB on purpose."""

import argparse
from typing import Any

from collector.commands.outboxes import paths
from collector.commands.output import OK, say
from collector.outbox.removal import forget
from collector.settings import Settings
from telemetry import timestamp


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    command = subparsers.add_parser(
        "forget",
        help="let go of stored readings, before they are deleted from InfluxDB on purpose",
        description="Without this the auditor would bring them back. Then delete them in InfluxDB.",
    )
    command.add_argument("--sensor", help="only this sensor_id")
    command.add_argument("--type", help="only this type")
    command.add_argument("--before", type=_moment, help="only before this ts, in RFC 3339")
    command.add_argument("--all", action="store_true", help="everything that is stored")
    command.set_defaults(run=_run, parser=command)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    narrowed = (options.sensor, options.type, options.before) != (None, None, None)
    if narrowed == options.all:
        options.parser.error("which readings? --sensor, --type, --before, or --all alone")

    def is_meant(series: str, ns: int) -> bool:
        sensor_id, type_ = series.split("/")
        return (
            options.sensor in (None, sensor_id)
            and options.type in (None, type_)
            and (options.before is None or ns < options.before)
        )

    done = [forget(path, is_meant) for path in paths(settings)]
    removed, pending = map(sum, zip(*done, strict=True))
    say(f"forgot {removed}")
    if pending:
        say(f"{pending} more are pending: they will be stored, and can be forgotten then")
    return OK


def _moment(text: str) -> int:
    try:
        return timestamp.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None
