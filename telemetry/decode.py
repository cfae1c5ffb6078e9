"""The one boundary for what arrives from outside: it is decoded here, or it is unreadable."""

import logging
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

logger = logging.getLogger(__name__)

_LOG_EVERY_S = 1.0

P = ParamSpec("P")
T = TypeVar("T")


class Unreadable(Exception):
    """Something that arrived breaks the contract of its topic; the text says why."""

    def __init__(self, reason: str) -> None:
        # It may quote half a surrogate pair, which JSON can say and no message of ours can.
        super().__init__(reason.encode(errors="backslashreplace").decode())


def boundary(decode: Callable[P, T]) -> Callable[P, T]:
    """Make a function that decodes what arrived raise Unreadable, or a kind of it, and no more.

    No list of exceptions would be complete: deep nesting, invalid UTF-8 and numbers beyond any
    range each raise their own, and what ends a service once ends it again at each redelivery.
    """

    @wraps(decode)
    def decode_or_refuse(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return decode(*args, **kwargs)
        except Unreadable:
            raise
        except Exception as error:  # noqa: BLE001
            raise Unreadable(str(error) or type(error).__name__) from None

    return decode_or_refuse


class UnreadableLog:
    """Counts what was unreadable or rejected, and logs it, at most one line per second."""

    def __init__(self, what: str = "unreadable") -> None:
        self._what = what
        self.count = 0
        self._logged = 0
        self._logged_at = -_LOG_EVERY_S

    def note(self, topic: str, reason: object) -> None:
        """Count a message; log it with the number of those that were not logged."""
        self.count += 1
        now = time.monotonic()
        if now - self._logged_at >= _LOG_EVERY_S:
            others = self.count - self._logged - 1
            more = f" (and {others} more before it)" if others else ""
            logger.warning("%s message on %.200s: %.1000s%s", self._what, topic, reason, more)
            self._logged, self._logged_at = self.count, now
