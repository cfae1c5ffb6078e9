"""Who may send readings: the identities of identities.json, as they are now."""

import asyncio
import base64
import binascii
import hashlib
import logging
import time
from collections.abc import Iterable
from pathlib import Path

from collector.access import broker, register
from collector.access.broker import Terms, is_anonymous_allowed
from collector.access.identity import ANY, ANYONE, Identity
from collector.access.register import Register, RegisterUnusable

logger = logging.getLogger(__name__)

_LOOK_S = 1
_REST = 3  # after a look that a token asked for, in its durations


class UnknownToken(Exception):
    """An identity is needed, and the sender has shown no secret of one."""

    def __init__(self) -> None:
        super().__init__(
            "a known token is needed: Authorization: Bearer <token>; `./pipeline devices add`"
            " makes one"
        )


class Identities:
    """The identities in a directory, with which `watch` keeps the broker's files up to date.

    What cannot be read leaves everything as it was: it must not let anybody in. Raises
    RegisterUnusable at the start.
    """

    def __init__(self, directory: Path, terms: Terms) -> None:
        self._directory = directory
        self._terms = terms
        self._seen = self._version()
        self._trouble = ""
        self._look_from = 0.0
        self._take(register.load(directory))

    def identify(self, authorization: bytes) -> Identity:
        """Return the identity behind an Authorization header (b"": none); raises UnknownToken.

        Bearer is followed by a token, Basic by a name and its token, as browsers send them.
        """
        if authorization and (
            identity := self._behind(authorization) or self._just_added(authorization)
        ):
            return identity
        if self.anonymous_allowed:
            return ANYONE
        raise UnknownToken

    def _just_added(self, authorization: bytes) -> Identity | None:
        # A token works as soon as it is printed. Guesses may not keep this process busy with a
        # large file that changes, or with one that cannot be read.
        begin = time.monotonic()
        if begin < self._look_from or self._version() == self._seen:
            return None
        self.refresh()
        end = time.monotonic()
        self._look_from = end + _REST * (end - begin)
        return self._behind(authorization)

    def _behind(self, authorization: bytes) -> Identity | None:
        scheme, _, token = authorization.partition(b" ")
        match scheme.lower():
            case b"bearer":
                return self._with_token(token.strip())
            case b"basic":
                name, token = _named_token(token.strip())
                identity = self._with_token(token)
                return identity if identity and identity.name.encode() == name else None
        return None

    def _with_token(self, token: bytes) -> Identity | None:
        # Looked up by its hash, so that the time of a look-up says nothing about a token.
        return self._by_digest.get(hashlib.sha256(token).digest())

    def named(self, name: str) -> Identity | None:
        """Return the identity of a name, which the broker has verified."""
        return self._by_name.get(name)

    def owner(self, sensor: str) -> Identity | None:
        """Return the one identity that names a sensor in full, None if there are several."""
        return self._owners.get(sensor)

    async def watch(self) -> None:
        """Take up changes of the file within a second, for ever; `identify` does so at once.

        Raises RegisterUnusable if the broker's files cannot be written at the start.
        """
        self._tell_broker()
        while True:
            await asyncio.sleep(_LOOK_S)
            self.refresh()

    def refresh(self) -> None:
        """Take up a change of the file."""
        version = self._version()
        if version == self._seen and not self._trouble:
            return
        try:
            self._take(register.load(self._directory))
            self._tell_broker()
        except RegisterUnusable as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                logger.warning("identities stay as they were: %s", error)
            return
        self._seen, self._trouble = version, ""
        logger.info("identities: %d", len(self._by_name))

    def _take(self, found: Register) -> None:
        self._register = found
        entries = found.identities
        self._by_name = {
            one.name: Identity(one.name, one.sensors, reader=one.reader) for one in entries
        }
        self._owners = owners(self._by_name.values())
        self._by_digest = {bytes.fromhex(one.sha256): self._by_name[one.name] for one in entries}
        self.anonymous_allowed = is_anonymous_allowed(found, opened=self._terms.opened)

    def _tell_broker(self) -> None:
        try:
            broker.write(self._directory, self._register, self._terms)
        except OSError as error:
            raise RegisterUnusable(f"{self._directory}: {error.strerror}") from None

    def _version(self) -> tuple[int, int] | None:
        try:
            found = (self._directory / register.FILE).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns


def _named_token(encoded: bytes) -> tuple[bytes, bytes]:
    """Return name and token of the Basic scheme, both empty if it is not base64."""
    try:
        name, _, token = base64.b64decode(encoded, validate=True).partition(b":")
    except binascii.Error:
        return b"", b""
    return name, token


def owners(identities: Iterable[Identity]) -> dict[str, Identity]:
    """Return the identity of each sensor that one of them alone names in full."""
    found: dict[str, Identity] = {}
    shared = set()
    for identity in identities:
        for sensor in set(identity.sensors):
            if ANY not in sensor and found.setdefault(sensor, identity) is not identity:
                shared.add(sensor)
    return {sensor: identity for sensor, identity in found.items() if sensor not in shared}
