"""`python -m collector <command>`: questions and orders to a collector's outbox, and `watch`."""

import argparse
import logging
import os
import signal
import sqlite3
import sys

from collector.audit.unreachable import InfluxUnreachable
from collector.commands import (
    audit,
    backup,
    books,
    certificates,
    devices,
    forget,
    formats,
    query,
    rejected,
    replay,
    setup,
    watch,
)
from collector.commands.output import FAILED
from collector.settings import Settings
from telemetry.process import ServiceError
from telemetry.settings import load

# What a shell reports for a program that SIGINT or SIGPIPE ended.
_INTERRUPTED = 130
_NO_READER = 141


def main(arguments: list[str]) -> int:
    """Run one command; return 0 when all is well, 1 when something is missing, 2 on failure.

    An interrupted one returns 130, and 141 one whose output nobody reads to its end.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    options = parser().parse_args(arguments)
    logging.disable()  # a command says itself what it waits for
    try:
        code = int(options.run(load(Settings), options))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _fail(options.command, "interrupted", _INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes at exit
        return _NO_READER
    except (ServiceError, InfluxUnreachable) as error:
        return _fail(options.command, str(error))
    except sqlite3.Error as error:
        return _fail(options.command, f"the outbox cannot be used: {error}")
    except OSError as error:
        return _fail(options.command, f"{error.strerror}".lower())
    return code


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser("python -m collector", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True)
    of_readings = (watch, books, audit, replay, rejected, query, forget)
    for command in (*of_readings, devices, certificates, formats, backup, setup):
        command.add_to(subparsers)
    return parser


def _fail(command: str, why: str, code: int = FAILED) -> int:
    sys.stderr.write(f"{command}: {why}\n")
    return code
