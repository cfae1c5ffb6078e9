"""What goes wrong with a connection to the broker."""

import os

from telemetry.tls import ENDED, plain_reason


class NotConnected(Exception):
    """A message was not taken, because there is no connection to the broker."""


class ConnectFailed(Exception):
    """An attempt to connect and subscribe failed; the text is the reason."""


def plain(error: OSError, *, tls: bool = False) -> str:
    """Return why there is no connection, whichever event loop tried."""
    if tls and isinstance(error, ConnectionResetError):
        return ENDED
    if reason := plain_reason(error):
        return reason
    if error.errno and error.errno > 0:  # below 0: of the resolver
        return os.strerror(error.errno)
    return error.strerror or str(error) or "no connection in time"
