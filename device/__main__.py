"""`python -m device`: sensors in this thread, by the clock; the sender in another, as it can."""

import os
import sys
from io import TextIOWrapper

from device.arguments import Arguments, parse
from device.buffer import Buffer
from device.events import Events
from device.readings import all_series, moments, readings
from device.report import Report
from device.sender import Collector, Sender

FLUSH_S = 1.5


def run(arguments: Arguments) -> int:
    """Simulate until the end or a signal; return the exit code."""
    events = Events()
    buffer = Buffer(arguments.buffer)
    report = Report(buffer, arguments.rate, arguments.count)
    collector = Collector(arguments.host, arguments.port, arguments.token)
    sender = Sender(buffer, collector.post, report, arguments.batch, events.stopping)
    events.start(sender.run, "sender")

    sensor_ids = range(arguments.sensor_id, arguments.sensor_id + arguments.sensors)
    series = all_series(
        sensor_ids, arguments.types, arguments.pattern, arguments.seed, arguments.rate
    )
    for reading in readings(series, moments(arguments.rate, arguments.count, events.wait)):
        report.taken()
        if (dropped := buffer.put(reading)) is not None:
            report.overflowed(dropped)
    buffer.close()

    if not events.stopping.is_set():
        events.wait(None)  # for the sender's end, or a signal
    if events.stopping.is_set():
        events.wait(FLUSH_S)
    return 0 if report.finish() else 1


def main() -> int:
    """Run as the command line says; also end when nobody reads the output any more."""
    arguments = parse()
    # A type, or an answer, with characters that this terminal lacks is no reason to end.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return run(arguments)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
