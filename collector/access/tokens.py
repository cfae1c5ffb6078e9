"""The tokens of TOKENS_FILE, and the identity behind each."""

import hashlib
from pathlib import Path
from typing import Self

from collector.access.identity import ANYONE, Identity
from telemetry.settings import SettingError

_KEY = "TOKENS_FILE"
_FIELDS = 2


class UnknownToken(Exception):
    """Tokens are configured, and the request has none of them."""

    def __init__(self) -> None:
        super().__init__("a known token is needed: Authorization: Bearer <token>")


class Tokens:
    """Identities by token; None: no tokens are configured and every sender is ANYONE."""

    def __init__(self, identities: dict[bytes, Identity] | None) -> None:
        self._identities = identities

    @classmethod
    def load(cls, file: str) -> Self:
        """Read lines of `<token> <sensor_id or *>`; skip empty ones and those that begin with #.

        A token may stand on several lines; "" is no file. Raises SettingError naming the line.
        """
        if not file:
            return cls(None)
        sensors: dict[bytes, set[str]] = {}
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(_KEY, file, f"expected a readable file: {error}") from None
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            words = line.split(maxsplit=1)
            if len(words) != _FIELDS:
                expected = f"line {number}: expected `<token> <sensor_id or *>`"
                raise SettingError(_KEY, file, expected)
            sensors.setdefault(_digest(words[0].encode()), set()).add(words[1].strip())
        return cls({key: Identity(allowed, key.hex()) for key, allowed in sensors.items()})

    def identify(self, authorization: bytes) -> Identity:
        """Return the identity behind an Authorization header (b"": none); raises UnknownToken."""
        if self._identities is None:
            return ANYONE
        scheme, _, token = authorization.partition(b" ")
        identity = self._identities.get(_digest(token.strip()))
        if scheme.lower() != b"bearer" or identity is None:
            raise UnknownToken
        return identity


def _digest(token: bytes) -> bytes:
    # Looked up by its hash, so that the time of a look-up says nothing about a token.
    return hashlib.sha256(token).digest()
