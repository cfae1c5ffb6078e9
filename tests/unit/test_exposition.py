"""The text of metrics: read by Prometheus' own parsers, whatever was asked for."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from telemetry.durations import Histogram
from telemetry.exposition import Exposition, answer

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
# What Prometheus 3 sends.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.fixture(scope="module")
def exposition() -> Exposition:
    histogram = Histogram((0.1, 1.0))
    for seconds in (0.05, 0.5, 5):
        histogram.observe(seconds)
    return Exposition(
        "service",
        lambda: {"done": 3, "used": 2**40, "lag_ms": 1500},
        counters={"done": ("things_done", 'Things "done", in\nall')},
        gauges={"used": ("used_bytes", "Used"), "lag_ms": ("lag_seconds", "Lag")},
        histograms={histogram: ("work_seconds", "Work")},
    )


def families(exposition: Exposition, accept: str) -> dict[str, Metric]:
    media_type, content = answer(exposition, accept)
    text = content.decode()
    found: Iterable[Metric]
    if media_type == OPENMETRICS:
        found = openmetrics(text)  # type: ignore[no-untyped-call]
    else:
        assert media_type == PLAIN
        found = text_string_to_metric_families(text)
    return {family.name: family for family in found}


def values(families: dict[str, Metric]) -> dict[tuple[str, str], float]:
    samples = [sample for family in families.values() for sample in family.samples]
    mine = [sample for sample in samples if sample.name.startswith("service_")]
    return {(sample.name, sample.labels.get("le", "")): sample.value for sample in mine}


def test_both_formats_say_the_same(exposition: Exposition) -> None:
    plain, openly = families(exposition, "*/*"), families(exposition, PROMETHEUS)
    assert values(plain) == values(openly)
    assert values(plain) == {
        ("service_build_info", ""): 1,
        ("service_things_done_total", ""): 3,
        ("service_used_bytes", ""): 2**40,
        ("service_lag_seconds", ""): 1.5,
        ("service_work_seconds_bucket", "0.1"): 1,
        ("service_work_seconds_bucket", "1.0"): 2,
        ("service_work_seconds_bucket", "+Inf"): 3,
        ("service_work_seconds_count", ""): 3,
        ("service_work_seconds_sum", ""): 5.55,
    }
    assert openly["service_used_bytes"].unit == "bytes"
    assert openly["service_things_done"].type == "counter"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", PLAIN),
        ("text/html", PLAIN),
        ("text/plain;version=1.0.0;escaping=values", PLAIN),
        (PROMETHEUS, OPENMETRICS),
        ("application/openmetrics-text;version=x", OPENMETRICS),
        ("application/openmetrics-text;version=99.0.0\x00", OPENMETRICS),
    ],
)
def test_the_format_is_one_of_two(exposition: Exposition, accept: str, media_type: str) -> None:
    assert answer(exposition, accept)[0] == media_type
    families(exposition, accept)


@given(st.text() | st.text("aplictonex/-;,=vr.0 *", max_size=60))
def test_no_accept_is_repeated_or_a_failure(exposition: Exposition, accept: str) -> None:
    assert answer(exposition, accept)[0] in {PLAIN, OPENMETRICS}
