"""`watch`: a table of the sensors and their newest readings, as they pass the broker."""

import argparse
import asyncio
import sys
from io import TextIOWrapper
from itertools import chain, repeat
from typing import Any

import uvloop
from rich.console import Console
from rich.live import Live

from collector.commands.output import OK
from collector.settings import Settings
from collector.watch.newest import MAX_SERIES, NewestReadings
from collector.watch.table import LINES_AROUND, draw
from telemetry import process, topics
from telemetry.mqtt import temporary_client
from telemetry.mqtt.temporary import TemporaryClient
from telemetry.process import ServiceError
from telemetry.reading import label_fault
from telemetry.settings import BrokerAccess

_FIRST_REFRESH_S, _REFRESH_S = 0.2, 1.0
_CONNECT_S = 5.0
_COLLECT_S = 3.0
_WIDEST = 400  # more than two names of 64 wide characters


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    command = subparsers.add_parser(
        "watch",
        help="show the newest reading of each sensor, as they pass the broker",
        description="Until Ctrl-C. If it does not write to a terminal, it prints one table.",
    )
    command.add_argument("--sensor", metavar="ID", type=_sensor, help="only this sensor_id")
    command.add_argument(
        "--once", action="store_true", help=f"collect for {_COLLECT_S:g} s, print one table, end"
    )
    command.set_defaults(run=_run)


def _sensor(text: str) -> str:
    if fault := label_fault(text):
        raise argparse.ArgumentTypeError(f"{text!r} {fault}")
    return text


def _run(settings: Settings, options: argparse.Namespace) -> int:
    # Text that the terminal's encoding lacks is escaped instead of raising UnicodeEncodeError.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    is_terminal = sys.stdout.isatty()
    console = Console() if is_terminal else Console(width=_WIDEST, force_terminal=False)
    is_live = is_terminal and not console.is_dumb_terminal and not options.once
    topic = topics.READINGS + (f"{options.sensor}/+" if options.sensor else "#")
    uvloop.run(_watch(settings.broker, topic, console, is_live=is_live))
    return OK


async def _watch(broker: BrokerAccess, topic: str, console: Console, *, is_live: bool) -> None:
    """Show until SIGINT or SIGTERM, or print what arrived in _COLLECT_S. Raises ServiceError."""
    readings = NewestReadings()
    # At QoS 0 nothing ever waits for it at the broker.
    async with temporary_client(broker, topic, qos=0) as connection:
        show = _show(connection, readings, console) if is_live else _collect(connection)
        await process.run(stop=_nothing, take=_take(connection, readings), show=show)
    if not is_live:
        console.print(draw(readings, MAX_SERIES, connection.notice))


async def _nothing() -> None:
    """Have nothing to finish at the end."""


async def _take(connection: TemporaryClient, readings: NewestReadings) -> None:
    while True:
        readings.take(await connection.messages.get())


async def _show(connection: TemporaryClient, readings: NewestReadings, console: Console) -> None:
    """Draw on the terminal's other screen, which leaves the usual one as it was."""
    with Live(console=console, screen=True, auto_refresh=False) as live:
        for delay in chain((_FIRST_REFRESH_S,), repeat(_REFRESH_S)):
            await asyncio.sleep(delay)
            limit = console.height - LINES_AROUND
            live.update(draw(readings, limit, connection.notice), refresh=True)
            readings.begin_period()


async def _collect(connection: TemporaryClient) -> None:
    try:
        async with asyncio.timeout(_CONNECT_S):
            await connection.wait_connected()
    except TimeoutError:
        raise ServiceError(connection.notice or "no connection to the MQTT broker") from None
    await asyncio.sleep(_COLLECT_S)
