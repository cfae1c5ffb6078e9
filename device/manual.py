"""The text that --help prints before and after the list of options."""

DESCRIPTION = """\
A simulated device: reads its sensors on schedule and posts the readings to the collector at
http://HOST:PORT/data. Without further options, as in

    python -m device -h localhost -p 1337

it posts one reading per second until it is stopped, and prints each one with the collector's
response:

    {"ts":"2026-11-22T18:50:45Z","type":"temp","value":25,"sensor_id":123} -> 201 Created

With --mqtt it publishes to devices/<sensor_id> at the broker HOST:PORT instead, and the collector
answers there:

    python -m device -h localhost -p 1883 --mqtt

It needs Python 3.11 or newer and nothing else; with --mqtt the package paho-mqtt, which the
simulator's image has.
"""

EPILOG = """\
examples:
  three sensors with two types each, six readings per second, values that drift:
    python -m device -h localhost -p 1337 --sensor-id 1000 --sensors 3 --types temp humidity \\
      --rate 6 --pattern walk
  10,000 readings at 2,000 per second, 100 per request, the same values in every run:
    python -m device -h localhost -p 1337 --sensor-id 1000 --count 10000 --rate 2000 --batch 100 \\
      --seed 7
  Both name other sensors than 123, which a running simulator has: readings of the same sensor and
  type with the same timestamp, here a whole second, overwrite each other.

by MQTT:
  Each message has up to --batch readings and a `ref`, and goes to the topic of the first sensor.
  The collector answers on accepted/<sensor_id> once they are on its disk, or on
  refused/<sensor_id>. One message at a time is without answer: for more than some hundred readings
  per second use --batch. With --user NAME the topics are from/NAME/devices/<sensor_id> and
  to/NAME/accepted/<sensor_id>.

with TLS:
  --tls NAME speaks TLS to HOST:PORT, https or with --mqtt mqtts, and sends only if the certificate
  there is for NAME, which may be another one than HOST, and of an authority that this system trusts
  or that is in --tls-ca FILE. The port is that of -p as it is, with --mqtt mostly 8883:
    python -m device -h 192.168.1.5 -p 1337 --tls iot.local --tls-ca ca.crt
    python -m device -h 192.168.1.5 -p 8883 --tls iot.local --tls-ca ca.crt --mqtt
  The file is read again for each connection. With an empty NAME nothing is encrypted, and FILE is
  not read.

timestamps:
  A reading's timestamp is the time (UTC) it was scheduled for. It has no fractional seconds while
  a series (one type of one sensor) has at most one reading per second. At higher rates it has 3, 6
  or 9 decimals, so that no two readings of a series share a timestamp. A reading that is retried
  keeps its timestamp.

when the collector does not accept a reading:
  no response, 429, 503, or any status not listed here
                   The readings are kept and retried in order. The wait is random, up to a limit
                   that doubles from 0.25 s to 10 s, but never shorter than Retry-After. New
                   readings are buffered meanwhile. When the buffer is full, the oldest readings
                   are dropped.
  400, 403, 415, 422
                   At least one reading will never be accepted. The batch is halved until that
                   reading is alone. It is dropped; the others are sent.
  401              The token is invalid: all readings of the request are dropped.
  413              From now on, requests carry half as many readings. A reading that is too large
                   on its own is dropped.
  by TLS           A certificate that has expired, is for another name or of an unknown authority,
                   and TLS on one side only: as no response. It may be renewed any time, and the
                   readings are not lost until then.
  by MQTT          No answer within 10 s, or no connection to the broker: as no response. `refused`:
                   as 422, with `retry_after` as 429. A message of more than 65,000 bytes is not
                   sent: as 413.
  Faults are reported on stderr: one that goes on every 10 seconds, and its end. Every dropped
  reading is named there with the reason.

output:
  Up to 10 readings per second, each is printed with its response. At higher rates, one line per
  second prints the totals. With --count or --duration, a terminal shows a progress bar of accepted
  readings instead of the totals, if the Python package tqdm is installed.
  With --quiet, only faults and the summary are printed.

stopping:
  Ctrl-C (or SIGTERM) stops it within two seconds; buffered readings get one last try. A second
  Ctrl-C stops it at once. With --count or --duration, it ends when every reading has been accepted
  or dropped, however long the collector is unavailable. It prints a summary at the end.

exit code:
  0   stopped by a signal; or, with --count or --duration, every reading was accepted
  1   invalid arguments, or standard output was closed; or, with --count or --duration, at least
      one reading was not accepted
"""
