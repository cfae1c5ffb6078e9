"""The names of series, and what a value may be."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry import topics
from telemetry.reading import is_finite, series
from tests.unit.messages import LABELS


@given(LABELS | st.integers(0, 2**63 - 1), LABELS)
def test_the_name_has_the_labels_as_they_are(sensor_id: int | str, type_: str) -> None:
    assert series(sensor_id, type_).split("/") == [str(sensor_id), type_]


@given(LABELS, LABELS)
def test_a_topic_is_read_back(sensor_id: str, type_: str) -> None:
    assert topics.labels(topics.READINGS + series(sensor_id, type_)) == (sensor_id, type_)


@pytest.mark.parametrize("topic", ["", "readings", "readings/1", "readings/1/2/3"])
def test_a_topic_with_other_levels_is_refused(topic: str) -> None:
    with pytest.raises(ValueError, match="is not readings/<sensor_id>/<type>"):
        topics.labels(topic)


def test_a_number_and_its_digits_are_one_series() -> None:
    assert series(7, "t") == series("7", "t")


@pytest.mark.parametrize(
    ("sensor_id", "type_", "field"), [("", "t", "sensor_id"), ("a", "", "type")]
)
def test_the_field_that_breaks_its_rule_is_named(sensor_id: str, type_: str, field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field} must have 1 to 64 characters$"):
        series(sensor_id, type_)


@given(st.floats() | st.integers())
def test_finite_is_what_math_calls_finite(value: float) -> None:
    assert is_finite(value) == math.isfinite(value)
