"""`python -m bridge`: the service; with --check, whether the running one stores."""

import argparse
import sys

from bridge import check, service
from telemetry import process

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m bridge",
        description="Writes readings from MQTT to InfluxDB, with the settings of the environment.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--check", action="store_true", help="print whether the running bridge is storing, and exit"
    )
    arguments = parser.parse_args()
    sys.exit(check.main() if arguments.check else process.main("bridge", service.serve))
