"""Tokens that devices show, and the sensors that each may speak for."""

import hashlib
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path

from collector.problem import Problem
from telemetry.settings import SettingError

ANY = "*"
_FIELDS = 2
_KEY = "TOKENS_FILE"


class Tokens:
    """Who may post which readings; without a file, everybody everything."""

    def __init__(self, sensors: dict[bytes, set[str]] | None) -> None:
        self._sensors = sensors

    @classmethod
    def load(cls, file: str) -> "Tokens":
        """Read lines of `<token> <sensor_id or *>`; empty lines and those with # are skipped.

        A token may stand on several lines. Raises SettingError naming the line.
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
        return cls(sensors)

    def sensors(self, headers: Iterable[tuple[bytes, bytes]]) -> set[str] | None:
        """Return which sensors a request may speak for, or None: all.

        Raises Problem 401 without a known token.
        """
        if self._sensors is None:
            return None
        scheme, _, token = dict(headers).get(b"authorization", b"").partition(b" ")
        allowed = self._sensors.get(_digest(token.strip()))
        if scheme.lower() != b"bearer" or allowed is None:
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "a known token is needed: Authorization: Bearer <token>",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return None if ANY in allowed else allowed


def must_speak_for(allowed: set[str], sensor_ids: Iterable[str]) -> None:
    """Raise Problem 403 for a sensor that is not among those allowed."""
    for sensor_id in sensor_ids:
        if sensor_id not in allowed:
            raise Problem(HTTPStatus.FORBIDDEN, f"this token is not for sensor_id {sensor_id!r}")


def _digest(token: bytes) -> bytes:
    # Looked up by its hash, so that the time of a look-up says nothing about a token.
    return hashlib.sha256(token).digest()
