"""HTTP to InfluxDB at several addresses: the first that answers, in the order of preference."""

import logging
import math
import time
from collections.abc import Sequence
from typing import Any

import requests

logger = logging.getLogger(__name__)

# An address that has answered within this time is asked at once, another one after a /ping.
_FRESH_S = 5.0
_PING_S = 1.0
# So long an address is left alone that has failed; twice as long each time that it answers a /ping,
# and then fails again.
_REST_S = 10.0
_LONGEST_REST_S = 320.0
_NO_ACCOUNT = 401  # not 403, with which InfluxDB waits for the bridge to make the first account
_SERVER_ERROR = 500


class Session(requests.Session):
    """Sends requests for the first of several bases of URLs to the first that is healthy.

    An address fails that cannot be reached, does not answer in time, or answers 401 or 5xx; the
    request is then made again at the next one, except after an answer. Every request must have the
    same effect if it is made twice. With one address there are no health checks.
    """

    def __init__(self, bases: Sequence[str]) -> None:
        super().__init__()
        self._bases = bases
        self._answered_at = dict.fromkeys(bases, -math.inf)
        self._failed_at = dict.fromkeys(bases, -math.inf)
        self._rests_s = dict.fromkeys(bases, _REST_S)
        self.asked: list[str] = []
        """The addresses that the last request was made at: one, if that has answered."""

    def request(self, method: Any, url: Any, **options: Any) -> requests.Response:  # type: ignore[override]  # noqa: ANN401
        """Make a request; raises what requests does for the last address that was asked."""
        path = url.removeprefix(self._bases[0])
        self.asked = []
        failure: requests.RequestException | None = None
        for base in filter(self._is_healthy, self._bases):
            try:
                return self._ask(base, method, path, options)
            except (requests.ConnectionError, requests.Timeout) as error:
                failure = error
        if failure:
            raise failure
        longest_ago = min(self._bases, key=lambda base: self._failed_at[base])
        return self._ask(longest_ago, method, path, options)  # which answers, or tells why not

    def _ask(self, base: str, method: str, path: str, options: dict[str, Any]) -> requests.Response:
        self.asked.append(_name(base))
        try:
            response = super().request(method, base + path, **options)
        except (requests.ConnectionError, requests.Timeout):
            self._note_failure(base, "does not answer")
            raise
        self.asked = [_name(base)]
        if response.status_code >= _SERVER_ERROR or response.status_code == _NO_ACCOUNT:
            self._note_failure(base, f"answers with {response.status_code}")
        else:
            self._note_answer(base)
        return response

    def _is_healthy(self, base: str) -> bool:
        now = time.monotonic()
        if len(self._bases) == 1 or now - self._answered_at[base] < _FRESH_S:
            return True
        if now - self._failed_at[base] < self._rests_s[base]:
            return False
        try:
            response = super().request("GET", f"{base}/ping", timeout=_PING_S)
        except requests.RequestException:
            self._note_failure(base, "does not answer")
            return False
        if response.status_code >= _SERVER_ERROR:
            return False
        if self._failed_at[base] > -math.inf:  # until it has answered more than this
            self._rests_s[base] = min(2 * self._rests_s[base], _LONGEST_REST_S)
        return True

    def _note_answer(self, base: str) -> None:
        if self._failed_at[base] > -math.inf and len(self._bases) > 1:
            logger.info("InfluxDB at %s answers again", _name(base))
        self._answered_at[base], self._failed_at[base] = time.monotonic(), -math.inf
        self._rests_s[base] = _REST_S

    def _note_failure(self, base: str, why: str) -> None:
        if self._failed_at[base] == -math.inf and len(self._bases) > 1:
            logger.warning("InfluxDB at %s %s: others are asked", _name(base), why)
        self._answered_at[base], self._failed_at[base] = -math.inf, time.monotonic()


def _name(base: str) -> str:
    return base.partition("://")[2]
