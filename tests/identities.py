"""Identities of devices, given to a collector without its commands."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from collector.access import register
from collector.access.broker import Terms
from collector.access.identities import Identities, owners
from collector.access.identity import Identity
from collector.access.register import Entry

LOOPBACK = Terms(opened=False)


def give(
    directory: Path, devices: Mapping[str, tuple[str, Sequence[str]]], *, reader: bool = False
) -> None:
    """Add devices by name, each with a secret, which may be a short one, and its sensors."""
    with register.edit(directory) as entries:
        for name, (secret, sensors) in devices.items():
            digest = hashlib.sha256(secret.encode()).hexdigest()
            line = register.password_line(secret)
            entries[name] = Entry(name, list(sensors), digest, line, reader)


class Known(Identities):
    """Identities that need no directory."""

    def __init__(self, *identities: Identity, anonymous_allowed: bool = False) -> None:
        self.anonymous_allowed = anonymous_allowed
        self._by_name = {identity.name: identity for identity in identities}
        self._owners = owners(identities)
        self._by_digest = {}


OPEN = Known(anonymous_allowed=True)
