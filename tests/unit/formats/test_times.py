"""Times in the forms that devices send."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from collector.formats.times import rfc3339

BERLIN = ZoneInfo("Europe/Berlin")
NOON = "2026-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (NOON, NOON),
        ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123456789Z"),
        ("2026-01-31T13:00:00+01:00", NOON),
        ("2026-01-31T13:00:00", NOON),
        ("2026-01-31 13:00:00.5", "2026-01-31T12:00:00.5Z"),
        ("2026-07-31T14:00:00", "2026-07-31T12:00:00Z"),
        (1769860800, NOON),
        (1769860800.62, "2026-01-31T12:00:00.62Z"),
        (1769860800620, "2026-01-31T12:00:00.62Z"),
    ],
)
def test_each_form_is_read(found: object, expected: str) -> None:
    assert rfc3339(found, BERLIN) == expected


@pytest.mark.parametrize("found", [0, 12.5, "1970-01-01T00:00:12", "1999-12-31T00:00:00Z", -1])
def test_a_clock_that_is_not_set_gives_no_time(found: object) -> None:
    assert rfc3339(found, BERLIN) is None


@pytest.mark.parametrize(
    "found", ["", "12:00", "1769860800", "2026-01-31", True, [], {}, 1e20, 10**400, float("inf")]
)
def test_anything_else_is_refused(found: object) -> None:
    with pytest.raises(ValueError, match="expected a time such as 2026-01-31T12:00:00Z"):
        rfc3339(found, BERLIN)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-10-25T00:30:05Z", "2026-10-25T00:30:00Z"),
        ("2026-10-25T01:30:05Z", "2026-10-25T01:30:00Z"),
    ],
)
def test_of_the_repeated_hour_it_is_the_one_that_is_not_ahead(
    monkeypatch: pytest.MonkeyPatch, now: str, expected: str
) -> None:
    clock: Callable[[], float] = datetime.fromisoformat(now).timestamp
    monkeypatch.setattr("time.time", clock)
    assert rfc3339("2026-10-25T02:30:00", BERLIN) == expected
