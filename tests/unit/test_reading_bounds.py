"""The exact bounds of each field of a posted reading."""

import sys
from http import HTTPStatus

import pytest

from collector.http.problem import Problem
from collector.intake.draft import stamp_with
from telemetry.timestamp import render
from tests.builders import reading_json
from tests.unit.test_reading_rules import accepted

MAX = int(sys.float_info.max)


def kept(content: bytes, field: bytes) -> bytes:
    """Return the JSON text of a field of the accepted reading."""
    (row,) = accepted(content)
    _, _, rest = row.body.partition(b'"' + field + b'":')
    return rest.partition(b',"')[0].rstrip(b"}")


@pytest.mark.parametrize(
    ("sent", "published"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("-0.0", "-0.0"),
        ("0.1", "0.1"),
        ("1.0", "1.0"),
        ("1e308", "1e308"),
        ("1.7976931348623157e308", "1.7976931348623157e308"),
        ("5e-324", "5e-324"),
        ("0e-999", "0.0"),
        ("-0.000e-5", "-0.0"),
        ("0." + "0" * 350, "0.0"),
        ("0.1000000000000000055511151231257827", "0.1"),
        ("18446744073709551616", "18446744073709551616"),
        (str(MAX), str(MAX)),
        (str(-MAX), str(-MAX)),
    ],
)
def test_a_finite_value_is_kept(sent: str, published: str) -> None:
    assert kept(reading_json(value=sent), b"value") == published.encode()


@pytest.mark.parametrize(
    "value",
    [
        "1e999", "-1e999", "1.7976931348623159e308", str(MAX + 1), str(-MAX - 1), "1" + "0" * 400,
        "1" + "0" * 5000, "-1" + "0" * 5000, "true", "false", "null", '"25"', "[]", "{}", "[1]",
        "1e-400", "-1E-999", "0.0001e-320", "0." + "0" * 330 + "1", "2e-324",
    ],
)  # fmt: skip
def test_any_other_value_is_refused(value: str) -> None:
    check_refused(reading_json(value=value), "value")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "0x1"])
def test_an_invalid_json_number_is_not_json(value: str) -> None:
    check_not_json(reading_json(value=value))


@pytest.mark.parametrize("sensor_id", ["0", "-0", "1", str(2**63 - 1), '"0"', '"-1"', '"a b"'])
def test_a_sensor_id_is_accepted(sensor_id: str) -> None:
    (row,) = accepted(reading_json(sensor_id=sensor_id))
    assert row.series == ("0" if sensor_id == "-0" else sensor_id.strip('"')) + "/temp"


@pytest.mark.parametrize(
    "sensor_id",
    ["-1", str(2**63), str(2**64), "1" + "0" * 400, "1" + "0" * 5000, "5.0", "1e3", "true", "null"],
)
def test_a_sensor_id_is_refused(sensor_id: str) -> None:
    check_refused(reading_json(sensor_id=sensor_id), "sensor_id")


@pytest.mark.parametrize(
    "label",
    [
        "a",
        "a" * 64,
        "é" * 64,
        "😀",
        " ",
        " a ",
        "a\\\\b",
        "a$",
        "a,b=c d",
        "'\\\"",
        "温度",
        "\ufffd",
    ],
)
@pytest.mark.parametrize("field", ["type", "sensor_id"])
def test_a_label_is_accepted(field: str, label: str) -> None:
    accepted(reading_json(**{field: f'"{label}"'}))


@pytest.mark.parametrize(
    "label",
    [
        "", "a" * 65, "a\\\\", "\\\\", "$", "$a", "a/b", "/", "a+", "\\u0000", "a\\n", "\\u007f",
        "#", "\\u0085", "\\u00a0", "\\u00ad", "\\u200b", "\\u2028", "\\ufeff", "\\ue000", "\\uffff",
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["type", "sensor_id"])
def test_a_label_is_refused(field: str, label: str) -> None:
    check_refused(reading_json(**{field: f'"{label}"'}), field)


@pytest.mark.parametrize("half", ["\\ud800", "\\udc00", "\\ud800a"])
def test_half_a_surrogate_pair_is_not_json(half: str) -> None:
    check_not_json(reading_json(type=f'"{half}"'))
    check_not_json(b"[{}," + reading_json(type=f'"{half}"') + b"]")


def test_a_reading_without_ts_gets_the_collectors_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.intake.draft._last_ns", 0)
    monkeypatch.setattr("collector.intake.draft.time.time_ns", lambda: 1_234_567_891)
    (row,) = accepted(reading_json())
    assert row.ns == 1_234_567_001
    assert kept(reading_json(), b"ts") == b'"1970-01-01T00:00:01.234568001Z"'


def test_two_readings_without_ts_never_have_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.intake.draft.time.time_ns", lambda: 1_234_567_891)
    first, second = (accepted(reading_json())[0].ns for _ in range(2))
    assert second == first + 1000


def test_two_collectors_of_a_directory_never_give_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("collector.intake.draft.time.time_ns", lambda: 1_234_567_891)
    given = []
    for number in (1, 2, 999):
        monkeypatch.setattr("collector.intake.draft._last_ns", 0)
        monkeypatch.setattr("collector.intake.draft._number", 1)
        stamp_with(number)
        given += [accepted(reading_json())[0].ns for _ in range(3)]
    assert len(set(given)) == 9
    assert [ns % 1000 for ns in given] == [1, 1, 1, 2, 2, 2, 999, 999, 999]


def test_ts_is_published_in_utc_to_the_nanosecond() -> None:
    sent = reading_json(ts='"2026-01-31t13:00:00.123456789+01:00"')
    assert kept(sent, b"ts") == b'"2026-01-31T12:00:00.123456789Z"'
    assert render(accepted(sent)[0].ns) == "2026-01-31T12:00:00.123456789Z"


@pytest.mark.parametrize("ts", ["null", "0", "1767225600", '""', '"now"', "true", "[]"])
def test_any_other_ts_is_refused(ts: str) -> None:
    check_refused(reading_json(ts=ts), "ts")


DAY_NS = 24 * 3600 * 10**9


def test_ts_may_be_from_1970_to_a_day_ahead_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000_000_000_000
    monkeypatch.setattr("collector.intake.draft.time.time_ns", lambda: now)
    for ns in (0, now + DAY_NS):
        assert accepted(reading_json(ts=f'"{render(ns)}"'))[0].ns == ns
    for ns in (-1, now + DAY_NS + 1):
        check_refused(reading_json(ts=f'"{render(ns)}"'), "ts")
    with pytest.raises(Problem) as raised:
        accepted(reading_json(ts='"2100-01-01T00:00:00Z"'))
    (fault,) = raised.value.errors or [{}]
    assert "between 1970-01-01T00:00:00Z and 2027-01-16T08:00:00Z" in str(fault["detail"])


def test_a_leap_second_is_refused_as_one() -> None:
    with pytest.raises(Problem, match="leap second"):
        accepted(reading_json(ts='"2016-12-31T23:59:60Z"'))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_named(encoding: str) -> None:
    with pytest.raises(Problem, match="byte order mark of UTF-") as raised:
        accepted(reading_json().decode().encode(encoding))
    assert raised.value.status == HTTPStatus.BAD_REQUEST


def test_an_unknown_field_is_refused() -> None:
    check_refused(reading_json(unit='"C"'), "unit")


@pytest.mark.parametrize(
    "content",
    [
        b"{", b"nul", reading_json() + reading_json(), b"\xef\xbb\xbf" + reading_json(),
        b"[" * 100_000, b'{"a":' * 100_000, reading_json(value="[" * 100_000 + "]" * 100_000),
        reading_json()[:-1],
        reading_json().decode().encode("utf-16"), b'{"type":"\xff","value":1,"sensor_id":1}',
    ],
)  # fmt: skip
def test_a_body_that_is_not_json_is_refused(content: bytes) -> None:
    check_not_json(content)


def test_an_empty_batch_is_refused() -> None:
    for content in (b"[]", b" [ ] "):
        with pytest.raises(Problem, match="the body holds no reading") as raised:
            accepted(content)
        assert raised.value.status == HTTPStatus.BAD_REQUEST


def test_an_empty_body_is_refused() -> None:
    for content in (b"", b" ", b"\n \r\n"):
        for lines in (False, True):
            with pytest.raises(Problem, match="the body is empty") as raised:
                accepted(content, lines=lines)
            assert raised.value.status == HTTPStatus.BAD_REQUEST


def test_lines_may_end_with_crlf_and_be_empty() -> None:
    assert len(accepted(reading_json() + b"\r\n\r\n" + reading_json() + b"\n", lines=True)) == 2


def check_refused(content: bytes, field: str) -> None:
    """Check for 422 with one fault, of this field, alone, in a batch and in NDJSON."""
    for index, lines, batch in ((0, False, b"%b"), (1, False, b"[%b,%b]"), (1, True, b"%b\n%b")):
        sent = batch % ((reading_json(), content) if index else (content,))
        with pytest.raises(Problem) as raised:
            accepted(sent, lines=lines)
        assert raised.value.status == HTTPStatus.UNPROCESSABLE_ENTITY
        assert [(f["index"], f["field"]) for f in raised.value.errors or ()] == [(index, field)]


def check_not_json(content: bytes) -> None:
    with pytest.raises(Problem, match="not JSON") as raised:
        accepted(content)
    assert raised.value.status == HTTPStatus.BAD_REQUEST
    assert raised.value.errors is None
