"""`python -m collector.worker DIRECTORY NUMBER`: one of several collectors that share a port.

Its standard input is a connection to `collector.workers`, which starts it.
"""

import socket
import sys
from pathlib import Path

from collector import service
from collector.parent import Parent

if __name__ == "__main__":
    sys.exit(service.main(Parent(socket.socket(fileno=0), Path(sys.argv[1]), int(sys.argv[2]))))
