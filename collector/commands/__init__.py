"""`python -m collector <command>`: questions and orders to a collector's outbox, and `watch`."""

import argparse
import sys

from collector.audit.read_back import InfluxUnreachable
from collector.commands import audit, backup, books, forget, rejected, replay, watch
from collector.settings import Settings
from telemetry.process import ServiceError
from telemetry.settings import load

_FAILED = 2


def main(arguments: list[str]) -> int:
    """Run one command; return 0 when all is well, 1 when something is missing, 2 on failure."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(load(Settings), options))
    except (ServiceError, InfluxUnreachable) as error:
        sys.stderr.write(f"{options.command}: {error}\n")
        return _FAILED


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser("python -m collector", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True)
    for command in (watch, books, audit, replay, rejected, forget, backup):
        command.add_to(subparsers)
    return parser
