"""Timestamps: parsed and rendered to the nanosecond, over InfluxDB's whole range."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.timestamp import MAX_NS, MIN_NS, parse, render

S = 1_000_000_000
NANOSECONDS = st.integers(MIN_NS, MAX_NS) | st.integers(-2000 * S, 2000 * S)


def days_from_civil(year: int, month: int, day: int) -> int:
    """Count the days since 1970-01-01 in the Gregorian calendar: Howard Hinnant's algorithm."""
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * ((month - 3) % 12) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146097 + day_of_era - 719468


def nanoseconds(text: str) -> int:
    """Read a timestamp in the form of `render` without datetime."""
    match = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?Z", text)
    assert match, text
    year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
    seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
    return seconds * S + int((match[7] or "").ljust(9, "0"))


@given(NANOSECONDS)
def test_a_rendered_timestamp_is_right_by_another_calculation(ns: int) -> None:
    assert nanoseconds(render(ns)) == ns


@given(NANOSECONDS)
def test_a_rendered_timestamp_parses_to_the_same_nanosecond(ns: int) -> None:
    assert parse(render(ns)) == ns


@given(NANOSECONDS)
def test_a_rendered_timestamp_has_no_superfluous_digits(ns: int) -> None:
    assert not re.search(r"(\.\d*0|\.)Z$", render(ns))


@given(
    st.datetimes(datetime(1678, 1, 1), datetime(2261, 12, 31)),  # noqa: DTZ001  the zone is drawn
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
    st.sampled_from("Tt "),
)
def test_timestamps_are_parsed_as_by_datetime(local: datetime, offset: int, separator: str) -> None:
    moment = local.replace(tzinfo=timezone(timedelta(minutes=offset)))
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    assert parse(moment.isoformat(sep=separator)) == expected


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01T00:00:00-00:00", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T00:00:00.1Z", 100_000_000),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T12:30:00-11:30", 0),
        ("2000-02-29T00:00:00Z", 951_782_400 * S),
        ("1677-09-21T00:12:43.145224194Z", MIN_NS),
        ("2262-04-11T23:47:16.854775806Z", MAX_NS),
    ],
)
def test_known_timestamps(text: str, ns: int) -> None:
    assert parse(text) == ns


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1677-09-21T00:12:43.145224193Z", "must lie between"),
        ("2262-04-11T23:47:16.854775807Z", "must lie between"),
        ("2262-04-12T00:47:16.854775806+01:01", None),  # in range after subtracting the offset
        ("0001-01-01T00:00:00+23:59", "must lie between"),
        ("9999-12-31T23:59:59-23:59", "must lie between"),
        ("2026-01-31T12:00:00.1234567891Z", "nanosecond"),
        ("2026-01-31T12:00:00.1234567890Z", "nanosecond"),
        ("2016-12-31T23:59:60Z", "leap second"),
        ("2017-01-01T01:59:60.5+02:00", "leap second"),  # it has no Unix time
        ("2026-02-29T00:00:00Z", "no date and time"),
        ("2026-13-01T00:00:00Z", "no date and time"),
        ("2026-01-01T24:00:00Z", "no date and time"),
        ("2026-01-01T00:60:00Z", "no date and time"),
        ("0000-01-01T00:00:00Z", "no date and time"),
        ("2026-01-01T00:00:00+24:00", "no date and time"),
        ("2026-01-01T00:00:00+00:60", "RFC 3339"),
        ("2026-01-01T00:00:00-05:99", "RFC 3339"),
        ("2026-01-01T00:00:00", "RFC 3339"),
        ("2026-01-01T00:00:00.Z", "RFC 3339"),
        ("2026-01-01T00:00:00+0100", "RFC 3339"),
        ("2026-01-01T00:00Z", "RFC 3339"),
        ("2026-01-01", "RFC 3339"),
        ("20260101T000000Z", "RFC 3339"),
        ("2026-W01-1T00:00:00Z", "RFC 3339"),
        (" 2026-01-01T00:00:00Z", "RFC 3339"),
        ("2026-01-01T00:00:00Z\n", "RFC 3339"),
        ("٢٠٢٦-01-01T00:00:00Z", "RFC 3339"),  # digits, but not ASCII's
        ("1767225600", "RFC 3339"),
        ("", "RFC 3339"),
    ],
)
def test_only_timestamps_that_influxdb_can_store_are_parsed(
    text: str, expected: str | None
) -> None:
    if expected is None:
        parse(text)
        return
    with pytest.raises(ValueError, match=expected):
        parse(text)


@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"))
def test_any_other_text_is_refused_with_what_was_expected(text: str) -> None:
    try:
        ns = parse(text)
    except ValueError as error:
        assert str(error).startswith(("must ", "is no ", "has a second 60"))  # noqa: PT017  either may happen
    else:
        assert MIN_NS <= ns <= MAX_NS
        assert parse(render(ns)) == ns
