"""The file identities.json: names, sensors and hashes, and how it is changed."""

import base64
import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from telemetry.process import ServiceError
from telemetry.reading import label_fault

FILE = "identities.json"
PASSWORDS = "devices.passwd"
"""What the broker has of it. Where it names somebody, FILE was there once."""
SIMULATOR = "simulator"
"""The identity that exists from the start; it does not count as a device of the user's."""
# Accounts of the services at the same broker.
_RESERVED = {"collector", "bridge", "auditor", "grafana", "admin", "anonymous"}
_NAME = r"\A[A-Za-z0-9_.-]{1,64}\Z"
_NONE = (FileNotFoundError, NotADirectoryError)
_SECRET_BYTES = 32
_SECRET = re.compile(r"[!-9;-~]{16,256}")  # printable ASCII; no colon, for files of passwords
_ITERATIONS = 101
_SALT_BYTES = 12


class RegisterUnusable(ServiceError):
    """identities.json cannot be read or written; the text says why."""


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """One identity. `sha256` is that of its secret, in hex; `password` a line for Mosquitto.

    Neither is a way to guess it: a secret that is made here has 256 bits.
    """

    name: Annotated[str, Meta(pattern=_NAME)]
    sensors: list[Annotated[str, Meta(pattern=r"\A[^\x00-\x1f/+#]{1,64}\Z")]]
    sha256: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    password: Annotated[str, Meta(pattern=r"\A\$7\$[0-9]+\$[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+\Z")]
    reader: bool = False


class Register(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What the file holds. Once there was a device, it is `closed` to senders without an identity.

    It stays so when the last device is removed, until somebody opens it.
    """

    identities: list[Entry]
    closed: bool = False

    def __post_init__(self) -> None:
        """Close it if there is a device: files of earlier versions do not say it."""
        self.closed |= any(one.name != SIMULATOR for one in self.identities)


_decode = msgspec.json.Decoder(Register).decode


def new_secret() -> str:
    """Return a random secret: 43 letters, digits, - and _."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def password_line(secret: str) -> str:
    """Return a secret's hash as mosquitto_passwd writes it: PBKDF2 with SHA-512."""
    return _password_line(secret, os.urandom(_SALT_BYTES))


def is_password(line: str, secret: str) -> bool:
    """Return whether a line is what `password_line` makes of a secret, with the line's own salt."""
    try:
        salt = base64.b64decode(line.split("$")[3])
    except (IndexError, ValueError):
        return False
    return line == _password_line(secret, salt)


def _password_line(secret: str, salt: bytes) -> str:
    digest = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, _ITERATIONS)
    encoded = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"$7${_ITERATIONS}${'$'.join(encoded)}"


def entry(name: str, sensors: list[str], secret: str, *, reader: bool = False) -> Entry:
    """Return an identity; ValueError naming what cannot be used."""
    if not re.match(_NAME, name):
        raise ValueError(f"name {name!r}: expected 1 to 64 letters, digits, _, . and -")
    if name in _RESERVED:
        raise ValueError(f"name {name!r}: it is a service's")
    for sensor in sensors:
        if fault := label_fault(sensor):
            raise ValueError(f"sensor {sensor!r} {fault}")
    if not (sensors or reader):
        raise ValueError(f"{name!r} could do nothing: expected sensors")
    if not _SECRET.fullmatch(secret):
        raise ValueError(f"secret of {name!r}: expected 16 to 256 letters, digits and signs")
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return Entry(name, sensors, digest, password_line(secret), reader)


def load(directory: Path) -> Register:
    """Return the identities in a directory, none if it never had any; raises RegisterUnusable."""
    path = directory / FILE
    try:
        return _checked(_decode(path.read_bytes()), path)
    except OSError as error:
        if isinstance(error, _NONE) and not _had_some(directory):
            return Register([])
        raise RegisterUnusable(f"{path}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RegisterUnusable(f"{path} is damaged: {error}; restore it from a backup") from None


@contextlib.contextmanager
def edit(
    directory: Path, on_saved: Callable[[Register], None] = lambda _: None, *, opens: bool = False
) -> Iterator[dict[str, Entry]]:
    """Yield the identities by name, to be changed, and save them; raises RegisterUnusable.

    With `opens`, senders without an identity are let in again if no device is left. One process
    does so at a time, `on_saved` included; the others wait.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (directory / f"{FILE}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            old = load(directory)
            found = {one.name: one for one in old.identities}
            yield found
            new = Register(list(found.values()), closed=old.closed and not opens)
            content = msgspec.json.format(msgspec.json.encode(_checked(new, directory / FILE)))
            replace(directory / FILE, content + b"\n", 0o600)
            on_saved(new)
    except OSError as error:
        raise RegisterUnusable(f"{directory}: {error.strerror}") from None


def _had_some(directory: Path) -> bool:
    try:
        return (directory / PASSWORDS).stat().st_size > 0
    except OSError:
        return False


def _checked(register: Register, path: Path) -> Register:
    """Return it if each identity has a name and a secret of its own."""
    names: dict[str, str] = {}
    for one in register.identities:
        for own in (one.name, one.sha256):
            if own in names:
                raise RegisterUnusable(
                    f"{path}: {names[own]!r} and {one.name!r} have the same name or secret"
                )
            names[own] = one.name
    return register


def replace(path: Path, content: bytes, mode: int) -> None:
    """Write a file that is there whole or not at all, whenever the machine stops."""
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(descriptor, mode)
            file.flush()
            os.fsync(descriptor)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
