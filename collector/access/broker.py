"""What the broker has to know of the identities: devices.passwd and devices.acl.

They are Mosquitto's own formats; mosquitto/start.sh adds what the services may do.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from collector.access.identity import ANY
from collector.access.register import PASSWORDS, Register, replace
from telemetry import topics

RULES = "devices.acl"
_PUBLIC = [topics.READINGS + "#", topics.STATUS + "#"]
# The broker belongs to the directory's group.
_MODE = 0o640


class Terms(NamedTuple):
    """What the rules depend on beside the identities.

    `families` are the topic filters of device families, `announced` is where sensors are announced
    to Home Assistant, if they are.
    """

    opened: bool
    families: Sequence[str] = ()
    announced: str = ""


def is_anonymous_allowed(register: Register, *, opened: bool) -> bool:
    """Return whether senders without an identity may send readings."""
    return not (opened or register.closed)


def write(directory: Path, register: Register, terms: Terms) -> None:
    """Bring both files up to date; raises OSError."""
    files = {
        PASSWORDS: "".join(f"{one.name}:{one.password}\n" for one in register.identities),
        RULES: "".join(f"{line}\n" for line in rules(register, terms)),
    }
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in files.items():
        content = text.encode()
        path = directory / name
        if not path.exists() or path.read_bytes() != content:
            replace(path, content, _MODE)


def rules(register: Register, terms: Terms) -> Iterator[str]:
    """Yield the lines of devices.acl: those for everybody, then those of each user.

    What is not named is not allowed. start.sh looks for the first line.
    """
    if terms.opened:
        yield "# opened to the network"
    announced = [f"{terms.announced}/#"] if terms.announced else []
    if not terms.opened:
        yield from _read([*_PUBLIC, *announced])
    if is_anonymous_allowed(register, opened=terms.opened):
        yield from _of_every_sensor(terms)
    yield "user collector"
    yield from _write(announced)
    for one in register.identities:
        yield f"user {one.name}"
        yield from _write([f"{topics.FROM}{one.name}/#"])
        yield from _read([f"{topics.TO}{one.name}/#"])
        if one.reader:
            yield from _read([*_PUBLIC, f"{topics.REJECTED}#", *announced])
        if ANY in one.sensors:
            yield from _of_every_sensor(terms)
        for sensor in one.sensors:
            # Within a level the broker has no wildcards; and it strips a line of spaces.
            if ANY not in sensor and sensor == sensor.rstrip():
                yield from _write([f"{topics.DEVICES}{sensor}", f"{topics.DEVICES}{sensor}/#"])
                yield from _read([topics.ACCEPTED + sensor, topics.REFUSED + sensor])


def _of_every_sensor(terms: Terms) -> Iterator[str]:
    yield from _write([f"{topics.DEVICES}#", *terms.families])
    yield from _read([f"{topics.ACCEPTED}#", f"{topics.REFUSED}#"])


def _write(filters: Sequence[str]) -> Iterator[str]:
    yield from (f"topic write {one}" for one in filters)


def _read(filters: Sequence[str]) -> Iterator[str]:
    yield from (f"topic read {one}" for one in filters)
