from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.responses import (
    BACKOFF_MAX_S,
    RETRY_AFTER_MAX_S,
    Response,
    Verdict,
    backoff,
    retry_after,
)

NOW = datetime(2026, 11, 22, 18, 50, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (201, Verdict.ACCEPTED),
        (400, Verdict.REFUSED),
        (401, Verdict.ALL_REFUSED),
        (403, Verdict.REFUSED),
        (413, Verdict.TOO_LARGE),
        (415, Verdict.REFUSED),
        (422, Verdict.REFUSED),
        ("accepted", Verdict.ACCEPTED),
        ("refused", Verdict.REFUSED),
        ("oversized", Verdict.TOO_LARGE),
    ],
)
def test_each_documented_status_has_a_verdict(status: int | str, verdict: Verdict) -> None:
    assert Response(status, "").verdict == verdict


@given(st.none() | st.integers(100, 599))
def test_any_other_status_is_retried(status: int | None) -> None:
    if status not in (201, 400, 401, 403, 413, 415, 422):
        assert Response(status, "").verdict == Verdict.RETRY


def test_a_response_is_printed_as_one_line_of_bounded_length() -> None:
    assert str(Response(201, "Created")) == "201 Created"
    assert str(Response(422, "a\n  b")) == "422 a b"
    assert str(Response("accepted", "")) == "accepted"
    assert len(str(Response(422, "x" * 10_000))) <= 500
    assert str(Response(422, "\x1b[2J")) == "422 �[2J"


@pytest.mark.parametrize(
    ("text", "brief"),
    [
        ('{"title":"Service Unavailable","detail":"the outbox is full"}', "503 the outbox is full"),
        ('{"title":"Service Unavailable"}', '503 {"title":"Service Unavailable"}'),
        ("[]", "503 []"),
        ("[" * 100_000, "503 " + "[" * 65 + "…"),
        ("", "503"),
    ],
)
def test_of_an_error_as_json_the_detail_is_brief(text: str, brief: str) -> None:
    assert Response(503, text).brief == brief


@given(st.integers(0, 10**9 - 1))
def test_retry_after_in_seconds(seconds: int) -> None:
    assert retry_after(str(seconds), NOW) == seconds


@given(st.integers(-(10**6), 10**6))
def test_retry_after_as_a_date(seconds: int) -> None:
    header = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retry_after(header, NOW) == max(0, seconds)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("soon", 0),
        ("-5", 0),
        ("1.5", 0),
        ("²", 0),
        ("Sun, 22 Nov 99999999999999999999 18:50:45 GMT", 0),
        ("Sun, 22 Nov 2026 18:50:45 +99999999999999999999", 0),
        (" 7 ", 7),
        ("Sunday, 22-Nov-26 18:50:55 GMT", 10),  # RFC 850
        ("Sun Nov 22 18:50:55 2026", 10),  # asctime
        ("Fri, 31 Dec 9999 23:59:59 GMT", RETRY_AFTER_MAX_S),
    ],
)
def test_retry_after_in_other_or_invalid_formats(header: str | None, seconds: float) -> None:
    assert retry_after(header, NOW) == seconds


@given(st.text())
def test_no_retry_after_header_raises(header: str) -> None:
    assert 0 <= retry_after(header, NOW) <= RETRY_AFTER_MAX_S


@given(st.integers(0, 10**6), st.integers())
def test_backoff_stays_below_a_limit_that_doubles(attempt: int, seed: int) -> None:
    limit = min(BACKOFF_MAX_S, 0.25 * 2 ** min(attempt, 10))
    assert 0 <= backoff(attempt, Random(seed)) <= limit


def test_backoff_uses_the_whole_range() -> None:
    """With full jitter, devices that fail together do not retry together."""
    waits = [backoff(20, Random(seed)) for seed in range(1000)]
    assert min(waits) < 0.1
    assert max(waits) > 9.9
    assert 4.5 < sum(waits) / len(waits) < 5.5
