"""python -m bench [--quick] [--json FILE]: every workload and its limit, measured in one run."""

import argparse
import sys
import tempfile
from pathlib import Path

import msgspec

from bench.plan import FULL, QUICK, measure
from bench.report import render


def main() -> int:
    """Run the bench; return 1 if there was a violation, whatever the figures are."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute, smaller counts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there too")
    arguments = parser.parse_args()
    # Not on /tmp, which may be memory: an fsync there costs nothing.
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/var/tmp") as directory:
        report = measure(Path(directory), QUICK if arguments.quick else FULL)
    sys.stdout.write(render(report) + "\n")
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
