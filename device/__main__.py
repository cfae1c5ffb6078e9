"""`python -m device`: one thread takes readings on schedule, another sends them."""

import os
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper

from device.arguments import Arguments, parse
from device.buffer import Buffer
from device.client import CollectorClient
from device.events import Events
from device.readings import create_series, readings, schedule
from device.report import Report
from device.responses import Response
from device.sender import Sender

FLUSH_S = 1.5


def run(arguments: Arguments) -> int:
    """Simulate until all readings are sent or a signal arrives; return the exit code."""
    events = Events()
    buffer = Buffer(arguments.buffer)
    report = Report(buffer, arguments.rate, arguments.count, quiet=arguments.quiet)
    sender = Sender(buffer, post_of(arguments), report, arguments.batch, events.stopping)
    events.start(sender.run, "sender")

    sensor_ids = range(arguments.sensor_id, arguments.sensor_id + arguments.sensors)
    series = create_series(
        sensor_ids, arguments.types, arguments.pattern, arguments.seed, arguments.rate
    )
    for reading in readings(series, schedule(arguments.rate, arguments.count, events.wait)):
        report.generated()
        if (dropped := buffer.put(reading)) is not None:
            report.overflowed(dropped)
    buffer.close()

    if not events.stopping.is_set():
        events.wait(None)  # until the sender ends or a signal arrives
    if events.stopping.is_set():
        events.wait(FLUSH_S)
    return 0 if report.finish() else 1


def post_of(given: Arguments) -> Callable[[Sequence[str]], Response]:
    """Return how readings are sent; raises SystemExit when paho-mqtt is needed and missing."""
    if not given.mqtt:
        return CollectorClient(given.host, given.port, given.token, given.tls).post
    try:
        from device.mqtt_client import MqttClient  # noqa: PLC0415  the one import beyond Python
    except ModuleNotFoundError:
        sys.exit("--mqtt needs the Python package paho-mqtt 2: pip install paho-mqtt")
    account = (given.user or "", given.token or "")
    return MqttClient(given.host, given.port, given.sensor_id, account=account, tls=given.tls).post


def main() -> int:
    """Run as the command line says; return 1 if standard output is closed."""
    arguments = parse()
    # Text that the terminal's encoding lacks is escaped instead of raising UnicodeEncodeError.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return run(arguments)
    except BrokenPipeError:
        # Otherwise the interpreter would fail again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
