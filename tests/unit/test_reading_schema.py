"""The schema of a reading: everything that it allows is accepted, and what clocks show is in it."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from collector.http.openapi import document
from collector.http.reading_schema import schemas
from collector.intake.draft import checked_ns
from telemetry.reading import label_fault
from tests.builders import Json
from tests.unit.test_reading_rules import is_refused

NOW = datetime.now(UTC)
HOURS = [datetime(2024, 2, 29, hour, 59, 59, tzinfo=UTC) for hour in range(24)]
HOURS += [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, 23, tzinfo=UTC)]


def generated(schema: Json, parts: Json) -> st.SearchStrategy[Any]:
    """Return a strategy for a schema of the kinds that occur in the document."""
    if "$ref" in schema:
        return generated(parts[schema["$ref"].rpartition("/")[2]], parts)
    if "anyOf" in schema:
        return st.one_of([generated(part, parts) for part in schema["anyOf"]])
    match schema["type"]:
        case "object":
            fields = {name: generated(part, parts) for name, part in schema["properties"].items()}
            required = {name: fields.pop(name) for name in schema["required"]}
            if schema["additionalProperties"]:
                fields["unit"] = st.just("C")
            return st.fixed_dictionaries(required, optional=fields)
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "number":
            low, high = schema["minimum"], schema["maximum"]
            return st.integers(int(low), int(high)) | st.floats(low, high)
    validator = Draft202012Validator(schema)
    return st.from_regex(schema["pattern"]).filter(validator.is_valid)


def readings(**changes: Json) -> st.SearchStrategy[Any]:
    """Return readings as the schema describes them, with these schemas changed."""
    parts = {name: part | changes.get(name, {}) for name, part in schemas(NOW).items()}
    return generated(parts["Reading"], parts)


def is_accepted(reading: object) -> bool:
    return not is_refused(json.dumps(reading).encode())


@given(readings())
def test_what_the_schema_allows_is_accepted(reading: Json) -> None:
    assert is_accepted(reading)


LOOSER: dict[str, dict[str, Json]] = {
    "any character": {"Label": {"pattern": "^.+$"}},
    "any beginning": {"Label": {"not": {"pattern": r"\\$"}, "pattern": "^[$x]y*$"}},
    "any length": {"Label": {"maxLength": 70, "pattern": "^x{60,70}$"}},
    "any year": {"Timestamp": {"pattern": "^[12][0-9]{3}-01-01T00:00:00Z$"}},
    "any fraction": {"Timestamp": {"pattern": r"^2026-01-01T00:00:00\.[0-9]+Z$"}},
    "any field": {"Reading": {"additionalProperties": True}},
    "no type": {"Reading": {"required": ["value", "sensor_id"]}},
}


@pytest.mark.parametrize("name", LOOSER)
def test_control_a_looser_schema_is_noticed(name: str) -> None:
    strategy = readings(**LOOSER[name])
    search = settings(max_examples=2000, database=None, phases=[Phase.generate])
    assert find(strategy, lambda reading: not is_accepted(reading), settings=search)


def pattern(name: str, now: datetime = NOW) -> re.Pattern[str]:
    return re.compile(schemas(now)[name]["pattern"])


def test_the_characters_are_those_that_are_accepted() -> None:
    labels = [f"x{chr(code)}x" for code in range(0x110000)]
    allowed = pattern("Label")
    differ = [ascii(x) for x in labels if (label_fault(x) is None) != bool(allowed.search(x))]
    assert differ == []
    assert not allowed.search("x\n")


def offsets(limit: timedelta, step: timedelta) -> Iterator[timedelta]:
    offset = -limit
    while offset <= limit:
        yield offset
        offset += step


@pytest.mark.parametrize("now", HOURS, ids=str)
def test_what_a_clock_shows_is_allowed(now: datetime) -> None:
    allowed = pattern("Timestamp", now)
    for hours in range(-24, 29):  # from 12 hours behind UTC to 14 ahead
        there = timezone(timedelta(hours=hours / 2))
        for moment in (now, now.replace(minute=0, second=0)):
            text = moment.astimezone(there).isoformat()
            assert allowed.search(text), text
    assert allowed.search(now.strftime("%Y-%m-%dT%H:%M:%S.123456789Z"))


@pytest.mark.parametrize("now", HOURS, ids=str)
def test_an_allowed_timestamp_is_accepted(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    hour = now.replace(minute=0, second=0)
    monkeypatch.setattr(
        "collector.intake.draft.time.time_ns", lambda: int(hour.timestamp()) * 10**9
    )
    allowed, count = pattern("Timestamp", now), 0
    for offset in offsets(timedelta(hours=23, minutes=59), timedelta(minutes=61)):
        for ahead in range(-50, 74):
            latest = (now.replace(minute=59, second=59) + timedelta(hours=ahead)).replace(
                tzinfo=None
            )
            text = latest.replace(tzinfo=timezone(offset)).isoformat()
            if allowed.search(text):
                checked_ns(text)
                count += 1
    assert count > 1000


def test_the_dates_are_those_of_the_calendar() -> None:
    allowed = pattern("Timestamp", datetime(2026, 3, 1, 12, tzinfo=UTC))
    matching = {
        f"{year}-{month:02}-{day:02}"
        for year in range(1960, 2030)
        for month in range(14)
        for day in range(33)
        if allowed.search(f"{year}-{month:02}-{day:02}T00:00:00Z")
    }
    first, last = date(1970, 1, 1), date(2026, 3, 2)
    expected = {str(first + timedelta(days)) for days in range((last - first).days + 1)}
    assert matching == expected


@pytest.mark.parametrize(
    "text",
    [
        "1970-01-01T00:00:00+00:01",
        "2026-01-31T12:00:00.1234567890Z",
        "2026-01-31T12:00:60Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00Z\n",
        "x2026-01-31T12:00:00Z",
        "٢٠٢٦-01-31T12:00:00Z",
    ],
)
def test_what_is_no_timestamp_is_forbidden(text: str) -> None:
    assert not pattern("Timestamp").search(text)
    with pytest.raises(ValueError, match=r"must|has"):
        checked_ns(text)


def test_the_document_is_small() -> None:
    assert len(json.dumps(document(NOW), ensure_ascii=False)) < 25_000
