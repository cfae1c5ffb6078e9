"""Identities of devices, given to a collector without its commands."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from collector.access import register
from collector.access.broker import Terms
from collector.access.identities import Identities
from collector.access.register import Entry

LOOPBACK = Terms(opened=False)


def give(directory: Path, devices: Mapping[str, tuple[str, Sequence[str]]]) -> None:
    """Add devices by name, each with a secret, which may be a short one, and its sensors."""
    with register.edit(directory) as entries:
        for name, (secret, sensors) in devices.items():
            digest = hashlib.sha256(secret.encode()).hexdigest()
            line = register.password_line(secret)
            entries[name] = Entry(name, list(sensors), digest, line)


def nobody(directory: Path) -> Identities:
    """Return identities of which there are none, so that everybody may send readings."""
    return Identities(directory / "accounts", LOOPBACK)
