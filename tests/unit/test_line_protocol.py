"""A reading as a line: read back by an independent parser, and by the letter of InfluxDB's."""

import math
import sys

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from line_protocol_parser import parse_line

from telemetry.reading import MAX_VALUE, is_finite, label_fault, line, series
from telemetry.status import Status
from telemetry.status import line as status_line
from telemetry.timestamp import MAX_NS, MIN_NS

CHARACTERS = st.characters(exclude_categories=["Cs"]) | st.sampled_from(",= \\\"'éa1$")
LABELS = st.text(CHARACTERS, min_size=1, max_size=64).filter(lambda label: not label_fault(label))
VALUES = st.floats(allow_nan=False, allow_infinity=False) | st.integers(
    -int(MAX_VALUE), int(MAX_VALUE)
)
TIMES = st.integers(MIN_NS, MAX_NS)


def unescaped(tags: str) -> list[str]:
    """Read measurement and tags as InfluxDB does: models/points.go, scanTagsValue, unescapeTag.

    A delimiter is one unless the character before it is a backslash; then , = and space lose
    theirs. A backslash before anything else is an ordinary character.
    """
    parts, start = [], 0
    for at, character in enumerate(tags):
        if character in ",= " and tags[at - 1] != "\\":
            parts.append(tags[start:at])
            start = at + 1
    parts.append(tags[start:])
    return [part.replace("\\,", ",").replace("\\=", "=").replace("\\ ", " ") for part in parts]


@given(LABELS | st.integers(0, 2**63 - 1), LABELS, VALUES, TIMES)
def test_the_independent_parser_reads_the_same(
    sensor_id: int | str, type_: str, value: float, ns: int
) -> None:
    # That parser refuses subnormal numbers, as strtod reports them as out of range; InfluxDB's
    # strconv.ParseFloat does not.
    assume(value == 0 or abs(value) >= sys.float_info.min)
    # It takes a backslash before a backslash for an escape; InfluxDB does not.
    assume("\\\\" not in f"{sensor_id} {type_}")
    assume(not any(f"\\{escaped}" in f"{sensor_id}/{type_}" for escaped in ", ="))
    parsed = parse_line(line(series(sensor_id, type_).tags, value, ns))
    assert parsed == {
        "measurement": "data",
        "tags": {"sensor_id": str(sensor_id), "type": type_},
        "fields": {"value": float(value)},
        "time": ns,
    }


@given(LABELS, LABELS)
def test_tags_are_read_back_by_the_letter_of_influxdb(sensor_id: str, type_: str) -> None:
    tags = series(sensor_id, type_).tags
    assert unescaped(tags + " ") == ["data", "sensor_id", sensor_id, "type", type_, ""]


@given(VALUES)
def test_a_value_is_written_to_the_last_digit(value: float) -> None:
    head, _, text = line("data,type=t", value, 0).partition(" value=")
    written = text.removesuffix(" 0")
    assert head == "data,type=t"
    assert float(written) == float(value)
    assert math.copysign(1, float(written)) == math.copysign(1, value)
    assert written[-1] != "i"  # which would make it an integer


@pytest.mark.parametrize(
    ("value", "text"),
    [(25, "25"), (25.0, "25.0"), (-0.0, "-0.0"), (1e300, "1e+300"), (1e-7, "1e-07")],
)
def test_values_as_influxdb_reads_them(value: float, text: str) -> None:
    assert line("data", value, -5) == f"data value={text} -5"


@given(LABELS | st.integers(0, 2**63 - 1), LABELS)
def test_the_topic_has_the_labels_as_they_are(sensor_id: int | str, type_: str) -> None:
    assert series(sensor_id, type_).topic.split("/") == [str(sensor_id), type_]


def test_a_number_and_its_digits_are_one_series() -> None:
    assert series(7, "t") == series("7", "t")


@pytest.mark.parametrize(
    ("sensor_id", "type_", "field"), [("", "t", "sensor_id"), ("a", "", "type")]
)
def test_the_field_that_breaks_its_rule_is_named(sensor_id: str, type_: str, field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field} must have 1 to 64 characters$"):
        series(sensor_id, type_)


@given(st.floats() | st.integers())
def test_finite_is_what_float_calls_so(value: float) -> None:
    assert is_finite(value) == math.isfinite(value)


@given(
    LABELS,
    st.dictionaries(st.from_regex(r"[a-z_]+", fullmatch=True), st.integers(-5, 2**62), min_size=1),
)
def test_counters_are_read_back(instance: str, counters: dict[str, int]) -> None:
    assume("\\" not in instance)
    assert parse_line(status_line("bridge", instance, Status("up", counters=counters), 7)) == {
        "measurement": "pipeline",
        "tags": {"instance": instance, "service": "bridge"},
        "fields": counters,
        "time": 7,
    }
