"""What goes wrong with a connection to the broker."""


class NotConnected(Exception):
    """A message was not taken, because there is no connection to the broker."""


class ConnectFailed(Exception):
    """An attempt to connect and subscribe failed; the text is the reason."""
