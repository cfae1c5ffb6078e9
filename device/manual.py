"""What --help says before and after the list of options."""

DESCRIPTION = """\
A simulated device: takes readings of its sensors by the clock and posts them to the collector
at http://HOST:PORT/data. As in

    python -m device -h localhost -p 1337

it posts one reading a second, until it is stopped, and prints each with the collector's answer:

    {"ts":"2026-11-22T18:50:45Z","type":"temp","value":25,"sensor_id":123} -> 201 Created
"""

EPILOG = """\
examples:
  three sensors of two types, six readings a second, values that wander:
    python -m device -h localhost -p 1337 --sensors 3 --types temp humidity --rate 6 --pattern walk
  10,000 readings at 2,000 a second, 100 in a request, the same values each time:
    python -m device -h localhost -p 1337 --count 10000 --rate 2000 --batch 100 --seed 7

timestamps:
  The time (UTC) at which the reading was due. To the second while a series (one type of one
  sensor) has at most one reading a second; beyond that with 3, 6 or 9 decimals, so that no two
  readings of a series are alike. When readings are sent again, they keep their timestamps.

when the collector does not take a reading:
  no answer, 429, 503 or any answer not named here
                   The readings are kept and sent again, in order. The waiting time is random, up
                   to a limit that doubles from 0.25 s to 10 s; never less than Retry-After says.
                   New readings are taken meanwhile. When the buffer is full, the oldest go.
  400, 403, 415, 422
                   It would never be taken. Of a batch, half is tried, and half again, until the
                   reading at fault is alone; that one is dropped, its neighbours are not.
  401              The token is wrong for the whole request: all its readings are dropped.
  413              Half as many readings in a request from now on; a single one is dropped.
  Whatever is dropped is named on stderr, with the reason.

output:
  Up to 10 readings a second, each is printed with its answer; beyond that, a line a second sums
  up. With --count or --duration and a terminal, a progress bar shows what has been acknowledged.

end:
  Ctrl-C (or SIGTERM) ends it within two seconds; what is buffered is tried once more. A second
  Ctrl-C ends it at once. After --count or --duration it goes on until everything is acknowledged
  or dropped, however long the collector is away. A summary is printed.

exit code:
  0   stopped; or, with --count or --duration, every reading was acknowledged
  1   wrong arguments; or, with --count or --duration, some reading was not acknowledged
"""
