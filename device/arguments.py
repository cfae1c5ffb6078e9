"""The command line: what is asked of the device, checked before anything is sent."""

import argparse
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from device.manual import DESCRIPTION, EPILOG
from device.patterns import PATTERNS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_PORT = 65535
MAX_SENSOR_ID = 2**63 - 1
MIN_RATE, MAX_RATE = 1e-6, 1e9


@dataclass(frozen=True)
class Arguments:
    """What is asked: `rate` in readings a second over all series, `count` None for no end."""

    host: str
    port: int
    sensors: int
    sensor_id: int
    types: tuple[str, ...]
    pattern: str
    seed: int | None
    rate: float
    count: int | None
    batch: int
    buffer: int
    token: str | None


class Parser(argparse.ArgumentParser):
    """A parser that ends with 1 on wrong arguments, as the original device did."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and what is wrong to stderr; exit code 1."""
        self.exit(1, f"{self.format_usage()}{self.prog}: error: {message} (--help explains)\n")


def parse(argv: "Sequence[str] | None" = None) -> Arguments:
    """Read the command line. Raises SystemExit: 0 after --help, 1 when something is wrong."""
    parser = _parser()
    given = parser.parse_args(argv)
    if given.sensor_id + given.sensors - 1 > MAX_SENSOR_ID:
        parser.error(f"the last sensor id would be above {MAX_SENSOR_ID}")
    if len(set(given.types)) < len(given.types):
        parser.error(f"--types {' '.join(given.types)}: expected each type once")
    if given.batch > given.buffer:
        parser.error(f"--batch {given.batch}: expected at most --buffer, {given.buffer}")
    count: int | None = given.count
    if given.duration is not None:
        # Rounded: 0.7 s at 10 a second are 7, not 7.000000000000001.
        count = max(1, math.ceil(round(given.duration * given.rate, 6)))
    options = vars(given) | {"types": tuple(given.types), "count": count}
    del options["duration"]
    return Arguments(**options)


def _parser() -> Parser:
    parser = Parser(
        prog="python -m device",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,  # -h is the host
        allow_abbrev=False,
    )
    where = parser.add_argument_group("where to")
    where.add_argument(
        "-h", dest="host", metavar="HOST", type=_host, required=True, help="name or address"
    )
    where.add_argument(
        "-p", dest="port", metavar="PORT", type=_integer(1, MAX_PORT), required=True, help="port"
    )
    where.add_argument(
        "--token", type=_token, help="sent as Authorization: Bearer TOKEN (default: none)"
    )

    what = parser.add_argument_group("what is read")
    _number(what, "--sensors", 1, _integer(1), "number of sensors")
    _number(
        what, "--sensor-id", 123, _integer(0, MAX_SENSOR_ID), "id of the first; the others follow"
    )
    what.add_argument(
        "--types",
        metavar="TYPE",
        type=_text,
        nargs="+",
        default=["temp"],
        help="what each sensor measures (default: temp)",
    )
    what.add_argument(
        "--pattern",
        choices=PATTERNS,
        default="uniform",
        help="values: uniform, integers from 20 to 34 at random; walk, each near the one before; "
        "sine, a day's curve with its peak in the afternoon, UTC (default: uniform)",
    )
    what.add_argument(
        "--seed",
        metavar="N",
        type=_integer(0),
        help="the same values in every run (sine: at the same time of day; default: others each)",
    )

    pace = parser.add_argument_group("how fast, how many")
    _number(pace, "--rate", 1, _rate, "readings a second, over all sensors and types")
    _number(pace, "--batch", 1, _integer(1), "readings in a request: waits until there are N")
    end = pace.add_mutually_exclusive_group()
    end.add_argument(
        "--count", metavar="N", type=_integer(1), help="end after N readings (default: no end)"
    )
    end.add_argument(
        "--duration", metavar="S", type=_seconds, help="end after S seconds (default: no end)"
    )
    _number(
        pace, "--buffer", 100_000, _integer(1), "readings kept at most while they cannot be sent"
    )

    parser.add_argument("--help", action="help", help="show this and exit")
    return parser


def _number(
    group: "argparse._ArgumentGroup",
    name: str,
    default: int,
    kind: "Callable[[str], float]",
    text: str,
) -> None:
    help_text = f"{text} (default: {default})"
    group.add_argument(name, metavar="N", type=kind, default=default, help=help_text)


def _host(text: str) -> str:
    if not text or "/" in text or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a name or an address, without http:// and path"
        )
    return text


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected UTF-8") from None
    return text


def _token(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError("expected printable ASCII without spaces")
    return text


def _integer(low: int, high: int | None = None) -> "Callable[[str], int]":
    def integer(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if number < low or (high is not None and number > high):
            limits = f"from {low} to {high}" if high is not None else f"of at least {low}"
            raise argparse.ArgumentTypeError(f"{text!r}: expected an integer {limits}")
        return number

    return integer


def _rate(text: str) -> float:
    return _decimal(text, MIN_RATE, MAX_RATE)


def _seconds(text: str) -> float:
    return _decimal(text, 1e-3, 1e9)


def _decimal(text: str, low: float, high: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from {low:g} to {high:g}")
    return number
