"""The rules of a reading: what is accepted, and the faults of what is refused."""

import json
from http import HTTPStatus

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.http.problem import Problem
from collector.http.refusal import refusal
from collector.intake.errors import InvalidReadings, NotJson, TooManyReadings
from collector.intake.explanation import MAX_FAULTS
from collector.intake.readings import accept
from collector.outbox.row import Draft
from tests.builders import reading_json

FIELDS = ["type", "value", "sensor_id", "ts"]
LABELS = st.one_of(
    st.text(max_size=5),
    st.text("ab/+#$\\ ,=é\x00\x7f\u200b\ud800", max_size=4),
    st.sampled_from(["", "a" * 64, "a" * 65, "temp"]),
)
NUMBERS = st.one_of(
    st.integers(-2, 2),
    st.sampled_from([2**63 - 1, 2**63, 2**64, 10**309, -(10**400)]),
    st.floats(allow_nan=False),
)
TIMES = st.sampled_from(
    ["2026-01-31T12:00:00Z", "2026-01-31t12:00:00.123456789+01:00", "2300-01-01T00:00:00Z", "now"]
)
SCALARS = st.one_of(st.none(), st.booleans(), LABELS, NUMBERS, TIMES)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)
VALID = st.fixed_dictionaries(
    {"type": st.just("temp"), "value": st.just(25), "sensor_id": st.just(123)},
    optional={"ts": st.just("2026-01-31T12:00:00Z")},
)
ALMOST = st.builds(
    lambda valid, name, given: {**valid, name: given},
    VALID,
    st.sampled_from([*FIELDS, "unit"]),
    JSON,
)
INCOMPLETE = st.builds(
    lambda valid, name: {key: given for key, given in valid.items() if key != name},
    VALID,
    st.sampled_from(FIELDS),
)
READINGS = st.one_of(
    VALID, ALMOST, INCOMPLETE, st.dictionaries(st.sampled_from(FIELDS), JSON), JSON
)


def accepted(content: bytes, *, lines: bool = False) -> list[Draft]:
    """Decode and accept a body as POST /data does; raises Problem."""
    try:
        _, drafts, _ = accept(content, lines=lines)
    except (NotJson, InvalidReadings, TooManyReadings) as error:
        problem = refusal(error)
        assert problem
        raise problem from None
    return drafts


def check_problem(problem: Problem) -> None:
    """Check that a refusal locates each fault."""
    assert msgspec.json.decode(problem.body())["status"] == problem.status.value
    if problem.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        assert problem.errors
        for fault in problem.errors:
            assert isinstance(fault["index"], int)
            assert fault["detail"]
            assert "field" in fault or fault["detail"] == "must be a JSON object"
    else:
        assert problem.status == HTTPStatus.BAD_REQUEST


def text_of(reading: object) -> str:
    """Return JSON in which an infinite number is one that overflows."""
    return json.dumps(reading).replace("Infinity", "1e999")


def faulty(readings: list[object]) -> set[int]:
    """Return the indices of readings that have a fault, each checked alone."""
    return {i for i, r in enumerate(readings) if is_refused(text_of(r).encode())}


def is_refused(content: bytes) -> bool:
    try:
        accepted(content)
    except Problem:
        return True
    return False


@given(READINGS)
@example({"type": "temp", "value": float("inf"), "sensor_id": 1})
@example({"type": "temp", "value": 1, "sensor_id": 5.0})
@example({"type": 5, "value": "\ud800", "\ud800": 1})
def test_the_fast_and_the_thorough_decoder_agree(reading: object) -> None:
    content = f"[{text_of(reading)}]".encode()
    try:
        (row,) = accepted(content)
    except Problem as problem:
        check_problem(problem)
        assert faulty([reading])
    else:
        assert not faulty([reading])
        assert isinstance(reading, dict)
        kept = json.loads(row.body)
        assert kept.keys() == {*FIELDS}
        sent = {key: given for key, given in reading.items() if key != "ts"}
        assert {key: kept[key] for key in sent} == sent


@given(st.lists(READINGS, min_size=1, max_size=8), st.booleans())
def test_a_batch_is_accepted_whole_or_not_at_all(readings: list[object], lines: bool) -> None:
    texts = [text_of(reading) for reading in readings]
    content = ("\n".join(texts) if lines else "[" + ",".join(texts) + "]").encode()
    wrong = faulty(readings)
    try:
        rows = accepted(content, lines=lines)
    except Problem as problem:
        check_problem(problem)
        errors = problem.errors
    else:
        errors = []
        assert len(rows) == len(readings)
    # Half a surrogate pair is not JSON for the fast decoder, which then lists no faults.
    assert {fault["index"] for fault in errors or ()} == (wrong if errors is not None else set())
    assert bool(wrong) == (errors != [])


@given(st.binary() | st.text().map(str.encode) | st.text('[]{},:"\\ 01eE+-.tfn').map(str.encode))
def test_any_other_body_is_a_problem(content: bytes) -> None:
    for lines in (False, True):
        try:
            rows = accepted(content, lines=lines)
        except Problem as problem:
            check_problem(problem)
        else:
            assert not rows


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b'{"type":"temp","value":1,"value":2,"sensor_id":1}', "value"),
        (b'{"type":"temp","value":1,"val\\u0075e":2,"sensor_id":1}', "value"),
        (b'{"type":"temp","value":"x","value":1,"sensor_id":1}', "value"),
        (b'{"type":"temp","type":"temp","value":1,"sensor_id":1}', "type"),
        (b'{"type":"temp","value":1,"sensor_id":1,"sensor_id":"1"}', "sensor_id"),
        (b'{"ts":"2026-01-31T12:00:00Z","type":"t","value":1,"sensor_id":1,"ts":"now"}', "ts"),
        (b'{"ts":"2026-01-31T12:00:00Z","type":"t","value":1,"sensor_id":1,"ts":null}', "ts"),
        (b'{"ts":"2000-01-01T00:00:00Z","ts":"2000-01-01T00:00:00Z","type":"t","value":1}', "ts"),
        (
            reading_json(ts='"2000-01-01T00:00:00Z"')[:-1] + b',"ts":"2000-01-01T00:00:00Z"}',
            "ts",
        ),
    ],
)
def test_a_member_twice_is_refused_and_named(content: bytes, name: str) -> None:
    good = b'{"type":"temp","value":1,"sensor_id":1}'
    for body, lines in (
        (content, False),
        (b"[" + good + b"," + content + b"," + good + b"]", False),
        (good + b"\n" + content, True),
    ):
        with pytest.raises(Problem, match=f"'{name}' occurs more than once") as raised:
            accepted(body, lines=lines)
        assert raised.value.status == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("label", ["type", "value", "ts", "sensor_id", '\\"value\\"', "a\\\\b"])
def test_a_label_like_a_member_is_no_member(label: str) -> None:
    reading = f'{{"type":"{label}","value":1,"sensor_id":"{label}"}}'.encode()
    assert len(accepted(b"[" + reading + b"," + reading + b"]")) == 2
    assert len(accepted(reading)) == 1


@given(st.lists(st.sampled_from(['"type":"t"', '"value":1', '"value":2', '"sensor_id":"value"',
       '"sensor_id":3', '"ts":"2026-01-31T12:00:00Z"']), min_size=3, max_size=5))  # fmt: skip
def test_what_is_accepted_never_has_a_member_twice(members: list[str]) -> None:
    content = ("{" + ",".join(members) + "}").encode()
    names = [member.partition(":")[0] for member in members]
    if not is_refused(content):
        assert len(set(names)) == len(names)
    elif len(set(names)) == len(names):
        assert {'"type"', '"value"', '"sensor_id"'} - set(names)


def test_the_first_hundred_faults_are_listed() -> None:
    with pytest.raises(Problem, match="the first 100 faults are listed") as raised:
        accepted(b'[{"a":1,"b":2}' + b",{}" * 200 + b"]")
    errors = raised.value.errors or []
    assert len(errors) == MAX_FAULTS
    assert [(fault["index"], fault["field"]) for fault in errors[:6]] == [
        (0, "type"), (0, "value"), (0, "sensor_id"), (0, "a"), (0, "b"), (1, "type"),
    ]  # fmt: skip


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(Problem) as raised:
        accepted(json.dumps({"type": "x" * 10_000, "value": 1, "sensor_id": 1}).encode())
    (fault,) = raised.value.errors or [{}]
    assert fault["value"] == '"' + "x" * 99 + "…"
