"""The first packet of an MQTT client, and whether a broker answers it."""

import socket

# MQTT 3.1.1, clean session, keep-alive 5 s, no client id.
CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x05\x00\x00"
CONNACK = b"\x20\x02"


def answers_connect(port: int) -> bool:
    """Return whether a broker answers a CONNECT, even with an error code."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(CONNECT)
            return connection.recv(4).startswith(CONNACK)
    except OSError:
        return False
