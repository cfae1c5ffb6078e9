"""HTTP to InfluxDB at several addresses: the first that answers, in the order of preference."""

import logging
import math
import time
from collections.abc import Sequence
from typing import Any

import requests
import urllib3

logger = logging.getLogger(__name__)

# An address that has answered within this time is asked at once, another one after a /ping.
_FRESH_S = 5.0
_PING_S = 1.0
# So long an address is left alone that has failed; twice as long each time that it answers a /ping,
# and then fails again.
_REST_S = 10.0
_LONGEST_REST_S = 320.0
_REDIRECTS = range(300, 400)
_SERVER_ERROR = 500
# Not 403, with which InfluxDB waits for the bridge to make the first account.
_NO_ACCOUNT, _NOT_FOUND, _TOO_MANY = 401, 404, 429
_NO_DATABASE = b"database not found"  # the only 404 of an InfluxDB


class Session(requests.Session):
    """Sends requests for the first of several bases of URLs to the first that is healthy.

    An address fails that cannot be reached, does not answer in time, or answers 401, 5xx or what is
    no answer of an InfluxDB; the request is then made again at the next one, except after an
    answer. Every request must have the same effect if it is made twice. With one address there are
    no health checks. Redirects are not followed.
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
            except requests.RequestException as error:
                failure = error
        if failure:
            raise failure
        longest_ago = min(self._bases, key=lambda base: self._failed_at[base])
        return self._ask(longest_ago, method, path, options)  # which answers, or tells why not

    def _ask(self, base: str, method: str, path: str, options: dict[str, Any]) -> requests.Response:
        self.asked.append(_name(base))
        try:
            response = self._exchange(method, base + path, **options)
        except requests.RequestException:
            self._note_failure(base, "does not answer")
            raise
        self.asked = [_name(base)]
        if len(self._bases) > 1 and _is_failure(response):
            self._note_failure(base, f"answers with {_summary(response)}")
        else:
            self._note_answer(base)
        return response

    def _exchange(
        self,
        method: str,
        url: str,
        timeout: float,
        **options: Any,  # noqa: ANN401
    ) -> requests.Response:
        """Make one request at one address; raises RequestException, whatever is wrong with it."""
        options |= {"timeout": urllib3.Timeout(total=timeout), "allow_redirects": False}
        try:
            return super().request(method, url, **options)
        except requests.RequestException:
            raise
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise requests.ConnectionError(error) from error

    def _is_healthy(self, base: str) -> bool:
        now = time.monotonic()
        if len(self._bases) == 1 or now - self._answered_at[base] < _FRESH_S:
            return True
        if now - self._failed_at[base] < self._rests_s[base]:
            return False
        try:
            response = self._exchange("GET", f"{base}/ping", _PING_S)
        except requests.RequestException:
            self._note_failure(base, "does not answer")
            return False
        if response.status_code >= _SERVER_ERROR:
            self._note_failure(base, f"answers with {response.status_code}")
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


def _is_failure(response: requests.Response) -> bool:
    status = response.status_code
    return (
        status >= _SERVER_ERROR
        or status in {_NO_ACCOUNT, _TOO_MANY, *_REDIRECTS}
        or (status == _NOT_FOUND and _NO_DATABASE not in response.content)
        or _is_page(response)
    )


def _summary(response: requests.Response) -> str:
    return f"{response.status_code}{' and a page of HTML' if _is_page(response) else ''}"


def _is_page(response: requests.Response) -> bool:
    return "text/html" in response.headers.get("Content-Type", "")


def _name(base: str) -> str:
    return base.partition("://")[2]
