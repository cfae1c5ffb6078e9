"""The identities of devices, and what the anonymous may do."""

from pathlib import Path

from collector.access.identity import ANYONE, Identity


class UnknownToken(Exception):
    """Identities exist, and the sender is none of them."""


class Identities:
    """No identity: every sender is ANYONE, unless the collector is `opened`."""

    def __init__(self, directory: Path, opened: bool) -> None:
        self._directory = directory
        self._opened = opened

    def identify(self, authorization: bytes) -> Identity:
        """Return the identity behind an Authorization header (b"": none); raises UnknownToken."""
        if self._opened or authorization:
            raise UnknownToken
        return ANYONE

    def named(self, name: str) -> Identity | None:
        """Return the identity of this name, if there is one."""
        del name
        return None
