"""`devices`: who may send readings of which sensors."""

import argparse
import csv
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from collector.access import broker, register
from collector.access.register import SIMULATOR, Entry
from collector.commands.output import OK, say
from collector.formats import Formats
from collector.settings import Settings
from telemetry.process import ServiceError

_COLUMNS = ["name", "sensors"]
_WITH_SECRET = [*_COLUMNS, "secret"]
_NAME_WIDTH = 20


class Refused(ServiceError):
    """The identities stay as they were; the text says why."""


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    devices = subparsers.add_parser(
        "devices",
        help="who may send readings of which sensors",
        description="Identities of devices: a token for HTTP, a user with a password for MQTT.",
        epilog="example: devices add kitchen --sensors 'kitchen,kitchen-*'",
    )
    actions = devices.add_subparsers(dest="action", required=True)
    add = actions.add_parser("add", help="make an identity, and print its secret")
    add.add_argument("name", help="also the user at the broker")
    add.add_argument(
        "--sensors", default="", help="sensor ids with commas between; * is any characters"
    )
    add.add_argument("--reader", action="store_true", help="it may read what consumers read")
    add.set_defaults(run=_add)
    actions.add_parser("list", help="names and sensors").set_defaults(run=_list)
    rotate = actions.add_parser("rotate", help="give an identity another secret, and print it")
    rotate.add_argument("name")
    rotate.set_defaults(run=_rotate)
    remove = actions.add_parser("remove", help="refuse a device from now on")
    remove.add_argument("name")
    remove.set_defaults(run=_remove)
    actions.add_parser(
        "open", help="without any device: let senders without an identity in again"
    ).set_defaults(run=_open)
    several = actions.add_parser(
        "import", help="make many: a CSV with the columns name,sensors or name,sensors,secret"
    )
    several.add_argument("file", type=Path, help="- is the input; prints name,secret")
    several.set_defaults(run=_import)


def _add(settings: Settings, options: argparse.Namespace) -> int:
    secret = register.new_secret()
    sensors = [one.strip() for one in options.sensors.split(",") if one.strip()]
    try:
        new = register.entry(options.name, sensors, secret, reader=options.reader)
    except ValueError as error:
        raise Refused(str(error)) from None
    with _editing(settings) as entries:
        if new.name in entries:
            raise Refused(f"{new.name!r} exists: `devices rotate` gives it another secret")
        is_first = all(name == SIMULATOR for name in entries)
        entries[new.name] = new
    if is_first and not settings.opened:
        _hint("From now on, readings of senders without an identity are refused.")
    _say_secret(new.name, secret)
    return OK


def _list(settings: Settings, _: argparse.Namespace) -> int:
    for one in register.load(settings.accounts).identities:
        reads = "; reads all" if one.reader else ""
        say(f"{one.name:{_NAME_WIDTH}}  {', '.join(one.sensors)}{reads}")
    return OK


def _rotate(settings: Settings, options: argparse.Namespace) -> int:
    secret = register.new_secret()
    with _editing(settings) as entries:
        if (old := entries.get(options.name)) is None:
            raise _unknown(options.name)
        entries[old.name] = register.entry(old.name, old.sensors, secret, reader=old.reader)
    _say_secret(options.name, secret)
    return OK


def _remove(settings: Settings, options: argparse.Namespace) -> int:
    with _editing(settings) as entries:
        if entries.pop(options.name, None) is None:
            raise _unknown(options.name)
        is_last = all(name == SIMULATOR for name in entries)
    if is_last and options.name != SIMULATOR and not settings.opened:
        _hint(
            "No device has an identity now, and readings of senders without one stay refused:"
            " `devices open` lets anybody on this machine send them."
        )
    return OK


def _open(settings: Settings, _: argparse.Namespace) -> int:
    if settings.opened:
        raise Refused("the port is open to the network: nobody sends readings without an identity")
    with _editing(settings, opens=True) as entries:
        if names := [name for name in entries if name != SIMULATOR]:
            raise Refused(f"there are devices: {', '.join(names)}; `devices remove` them first")
    _hint("Anybody on this machine may send readings, until the next device has an identity.")
    return OK


def _import(settings: Settings, options: argparse.Namespace) -> int:
    try:
        text = sys.stdin.read() if str(options.file) == "-" else options.file.read_text("utf-8-sig")
        found = list(_rows(text))
    except UnicodeDecodeError as error:
        raise Refused(f"{options.file}: expected UTF-8: {error.reason}") from None
    except ValueError as error:
        raise Refused(str(error)) from None
    with _editing(settings) as entries:
        for new, _secret in found:
            if new.name in entries:
                raise Refused(f"{new.name!r} exists already, or twice in the file; none is made")
            entries[new.name] = new
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["name", "secret"])
    writer.writerows((new.name, secret) for new, secret in found)
    return OK


def _rows(text: str) -> Iterator[tuple[Entry, str]]:
    """Yield the identities of a CSV; ValueError naming the line."""
    reader = csv.reader(text.splitlines())
    header = [name.strip() for name in next(reader, [])]
    if header not in (_COLUMNS, _WITH_SECRET):
        raise ValueError(f"line 1: expected {','.join(_WITH_SECRET)}, found {','.join(header)}")
    for row in reader:
        if not row:
            continue
        if len(row) != len(header):
            raise ValueError(f"line {reader.line_num}: expected {len(header)} columns")
        name, listed, *given = (column.strip() for column in row)
        secret = next(iter(given), "") or register.new_secret()
        sensors = [one.strip() for one in listed.split(",") if one.strip()]
        try:
            yield register.entry(name, sensors, secret), secret
        except ValueError as error:
            raise ValueError(f"line {reader.line_num}: {error}") from None


def _editing(
    settings: Settings, *, opens: bool = False
) -> AbstractContextManager[dict[str, Entry]]:
    """Yield the identities by name; save them, and the broker's files, unless it is refused."""
    terms = Formats.of(settings).terms(settings)
    accounts = settings.accounts
    return register.edit(accounts, lambda saved: broker.write(accounts, saved, terms), opens=opens)


def _unknown(name: str) -> Refused:
    return Refused(f"there is no {name!r}: `devices list` shows all")


def _say_secret(name: str, secret: str) -> None:
    """Print a secret alone, for scripts, and beside it what it is for."""
    say(secret)
    sys.stdout.flush()
    _hint(
        f"The secret of {name!r}, which is not shown again: a bearer token for HTTP, and with"
        f" MQTT the password of user {name!r}."
    )


def _hint(text: str) -> None:
    sys.stderr.write(f"{text}\n")
