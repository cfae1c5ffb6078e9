"""`python -m collector.worker NAME NUMBER LISTENER`: one of several collectors that share a port.

Its standard input is a connection to `collector.workers`, which starts it; NAME is common to all,
LISTENER the file descriptor on which it answers the others.
"""

import socket
import sys

from collector import service
from collector.parent import Parent

if __name__ == "__main__":
    name, number, listener = sys.argv[1:]
    connections = socket.socket(fileno=0), socket.socket(fileno=int(listener))
    sys.exit(service.main(Parent(*connections, name, int(number))))
