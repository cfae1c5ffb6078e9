"""The command line, validated before anything is sent."""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from device import checks
from device.manual import DESCRIPTION, EPILOG
from device.patterns import PATTERNS
from device.tls import Tls, TlsError, tls

MAX_PORT = 65535
MAX_SENSOR_ID = 2**63 - 1


@dataclass(frozen=True)
class Arguments:
    """`rate` in readings per second over all series; `count` is None for no limit."""

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
    user: str | None
    mqtt: bool
    tls: Tls | None
    quiet: bool


class Parser(argparse.ArgumentParser):
    """Exits with 1 on invalid arguments, as the original device did."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and `message` to stderr and exit with 1."""
        self.exit(1, f"{self.format_usage()}{self.prog}: error: {message} (see --help)\n")


def parse(argv: Sequence[str] | None = None) -> Arguments:
    """Parse the command line. Raises SystemExit: 0 after --help, 1 on invalid arguments."""
    parser = _parser()
    given = parser.parse_args(argv)
    if given.sensor_id + given.sensors - 1 > MAX_SENSOR_ID:
        parser.error(f"the last sensor id would be above {MAX_SENSOR_ID}")
    if given.mqtt and (given.token is None) != (given.user is None):
        parser.error("--mqtt: expected both --user and --token-file, or none of them")
    if len(set(given.types)) < len(given.types):
        parser.error(f"--types {' '.join(given.types)}: expected each type once")
    if given.batch > given.buffer:
        parser.error(f"--batch {given.batch}: expected at most --buffer, {given.buffer}")
    count: int | None = given.count
    if given.duration is not None:
        # Rounded, because 0.7 s at 10 per second are 7 readings, not 7.000000000000001.
        count = max(1, math.ceil(round(given.duration * given.rate, 6)))
    options = vars(given) | {
        "types": tuple(given.types),
        "count": count,
        "tls": _tls(parser, given.tls, given.tls_ca),
    }
    del options["duration"], options["tls_ca"]
    return Arguments(**options)


def _tls(parser: Parser, name: str | None, ca_file: str | None) -> Tls | None:
    if name is None and ca_file is not None:
        parser.error(f"--tls-ca {ca_file}: expected --tls NAME with it")
    try:
        return tls(name, ca_file or "") if name else None
    except TlsError as error:
        parser.error(f"--tls-ca {ca_file}: {error}")


def _parser() -> Parser:
    parser = Parser(
        prog="python -m device",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,  # -h is the host
        allow_abbrev=False,
    )
    _add_collector(parser.add_argument_group("collector"))
    _add_readings(parser.add_argument_group("readings"))
    _add_sending(parser.add_argument_group("rate and number"))
    parser.add_argument("--quiet", action="store_true", help="print no accepted readings")
    parser.add_argument("--help", action="help", help="show this help and exit")
    return parser


def _add_collector(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-h",
        dest="host",
        metavar="HOST",
        type=checks.host,
        required=True,
        help="host name or address of the collector, with --mqtt of the broker",
    )
    group.add_argument(
        "-p",
        dest="port",
        metavar="PORT",
        type=checks.integer(1, MAX_PORT),
        required=True,
        help="port",
    )
    group.add_argument(
        "--mqtt",
        action="store_true",
        help="publish to the broker at HOST:PORT instead of posting (default: HTTP)",
    )
    group.add_argument(
        "--tls",
        metavar="NAME",
        type=checks.tls_name,
        help="speak TLS, and expect this name or address in the certificate; of several with "
        "commas the first; empty: plain text (default: plain text)",
    )
    group.add_argument(
        "--tls-ca",
        metavar="FILE",
        help="trust the authorities in this file, PEM (default: those of the system)",
    )
    secret = group.add_mutually_exclusive_group()
    secret.add_argument(
        "--token", type=checks.token, help="sent as Authorization: Bearer TOKEN (default: none)"
    )
    secret.add_argument(
        "--token-file",
        dest="token",
        metavar="FILE",
        type=checks.token_in,
        help="a file with the token, which no list of processes shows (default: none)",
    )
    group.add_argument(
        "--user",
        help="with --mqtt: the name that belongs to the token, its password (default: none)",
    )


def _add_readings(group: argparse._ArgumentGroup) -> None:
    _add_number(group, "--sensors", 1, checks.integer(1), "number of sensors")
    _add_number(
        group,
        "--sensor-id",
        123,
        checks.integer(0, MAX_SENSOR_ID),
        "id of the first sensor; the others have the ids that follow",
    )
    group.add_argument(
        "--types",
        metavar="TYPE",
        type=checks.text,
        nargs="+",
        default=["temp"],
        help="types of reading that each sensor has (default: temp)",
    )
    group.add_argument(
        "--pattern",
        choices=PATTERNS,
        default="uniform",
        help="values: uniform, random integers from 20 to 34; walk, a random walk in small steps; "
        "sine, a daily cycle that peaks in the afternoon, UTC (default: uniform)",
    )
    group.add_argument(
        "--seed",
        metavar="N",
        type=checks.integer(0),
        help="produce the same values in every run; with sine, at the same time of day "
        "(default: different values in every run)",
    )


def _add_sending(group: argparse._ArgumentGroup) -> None:
    _add_number(group, "--rate", 1, checks.rate, "readings per second, over all sensors and types")
    _add_number(
        group, "--batch", 1, checks.integer(1), "readings per request; it is sent when there are N"
    )
    end = group.add_mutually_exclusive_group()
    end.add_argument(
        "--count",
        metavar="N",
        type=checks.integer(1),
        help="end after N readings (default: no limit)",
    )
    end.add_argument(
        "--duration",
        metavar="S",
        type=checks.seconds,
        help="end after S seconds (default: no limit)",
    )
    _add_number(
        group,
        "--buffer",
        100_000,
        checks.integer(1),
        "maximum number of readings kept while the collector does not accept them",
    )


def _add_number(
    group: argparse._ArgumentGroup,
    name: str,
    default: int,
    kind: Callable[[str], float],
    text: str,
) -> None:
    help_text = f"{text} (default: {default})"
    group.add_argument(name, metavar="N", type=kind, default=default, help=help_text)
