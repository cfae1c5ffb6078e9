"""`python -m bridge`: the service; with --check, whether the running one stores."""

import sys

from bridge import check, service
from telemetry import process

if __name__ == "__main__":
    sys.exit(check.main() if sys.argv[1:] == ["--check"] else process.main("bridge", service.serve))
