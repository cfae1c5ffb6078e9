"""What a sender is told of a body that is refused, word by word."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.http.problem import Problem
from tests.builders import reading_json
from tests.unit.test_reading_rules import accepted

GOOD = reading_json()


def refused(content: bytes, *, lines: bool = False) -> Problem:
    with pytest.raises(Problem) as raised:
        accepted(content, lines=lines)
    return raised.value


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "it ends too early"),
        (b"nul", "unexpected character 'n' at byte 0"),
        (b"temp", "unexpected character 't' at byte 0"),
        (b'{"value":nan}', "unexpected character 'n' at byte 9"),
        (b"{'value':1}", 'unexpected character "\'" at byte 1'),
        ('{"é":1} x'.encode(), "unexpected character 'x' at byte 9"),
        (GOOD[:-1], "it ends too early"),
        (b'{"type":"te', "it ends within the string that begins at byte 8"),
        (b'{"type":"a\nb"}', "unexpected character '\\n' at byte 10"),
        (b'{"value":NaN}', "JSON has no NaN"),
        (b'{"value":-Infinity}', "JSON has no -Infinity"),
        (b'{"type":"\xff"}', "it is not UTF-8 at byte 9"),
        (b'{"type":"\\ud800","value":1,"sensor_id":1}', "a string has half of a surrogate pair"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"[" + GOOD + b',{"value":\xff}]', f"it is not UTF-8 at byte {len(GOOD) + 11}"),
    ],
)
def test_what_is_not_json_is_located(content: bytes, reason: str) -> None:
    problem = refused(content)
    assert (problem.status, problem.detail) == (400, f"the body is not JSON: {reason}")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"temp", "unexpected character 't' at byte 0"),
        (b'{"type":1,}', "unexpected character"),
        (b"{", "it ends too early"),
        (b"{}" + GOOD, "unexpected character '{' at byte 2"),
        (b'{"type":"\xff"}', "it is not UTF-8 at byte 9"),
    ],
)
def test_a_line_that_is_not_json_is_named(line: bytes, reason: str) -> None:
    content = b"\n" + GOOD + b"\r\n \n" + line + b"\n" + GOOD
    problem = refused(content, lines=True)
    assert problem.status == 400
    assert problem.detail.startswith(f"line 4 is not JSON: {reason}")


def test_one_fault_is_told_in_one_sentence() -> None:
    assert refused(reading_json(value='"1"')).detail == (
        'nothing was stored: index 0: value "1" must be a finite number'
    )
    assert refused(b"5").detail == "nothing was stored: index 0: 5 must be a JSON object"
    assert refused(b"[" + GOOD + b',{"type":"t","value":1}]').detail == (
        "nothing was stored: index 1: sensor_id is required"
    )


def test_several_faults_are_counted() -> None:
    wrong = reading_json(type='"a/b"', unit='"C"')
    assert refused(b"[%b,%b]" % (GOOD, wrong)).detail == (
        'nothing was stored: index 1: type "a/b" must be printable characters without / + #;'
        " 2 faults in all"
    )
    for count, words in ((100, "; 100 faults in all"), (101, "; the first 100 faults are listed")):
        problem = refused(b"[" + b",".join([b"1"] * count) + b"]")
        assert problem.detail == f"nothing was stored: index 0: 1 must be a JSON object{words}"
        assert len(problem.errors or ()) == 100


def test_faults_in_lines_name_the_line() -> None:
    content = b"\n%b\n\n \r\n%b\n\n%b" % (GOOD, reading_json(value="1e400"), b"{}")
    problem = refused(content, lines=True)
    assert problem.detail.startswith("nothing was stored: line 5: value 1e400 must be a finite")
    places = {(fault["index"], fault["line"]) for fault in problem.errors or ()}
    assert places == {(1, 5), (2, 7)}


@pytest.mark.parametrize(
    "sent",
    [b"1e400", b"-1E+999", b'"\\u0041\\/"', b"[1.50,\n 2]", b"null", b'{"a" : 1}', b"2e-324",
     '"é\\n"'.encode(), b"1" + b"0" * 309],
)  # fmt: skip
def test_a_value_is_shown_as_it_was_sent(sent: bytes) -> None:
    (fault,) = refused(reading_json(value=sent.decode())).errors or [{}]
    shown = sent.decode()
    assert fault["value"] == (shown if len(shown) <= 100 else shown[:100] + "…")


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_a_long_value_and_a_long_name_are_shortened(character: str) -> None:
    (fault,) = refused(reading_json(value=f'"{character * 200}"')).errors or [{}]
    assert fault["value"] == '"' + character * 99 + "…"
    (fault,) = refused(reading_json(**{character * 200: "1"})).errors or [{}]
    assert fault["field"] == character * 100 + "…"


def test_a_member_twice_is_located() -> None:
    twice = GOOD[:-1] + b',"type":"x"}'
    sentence = "the member 'type' occurs more than once in an object"
    assert refused(b"[%b,%b]" % (GOOD, twice)).detail == f"index 1: {sentence}"
    assert refused(GOOD + b"\n\n" + twice, lines=True).detail == f"line 3: {sentence}"


def test_each_value_that_is_too_small_is_listed() -> None:
    small = reading_json(value="1e-400")
    problem = refused(b"[%b,%b,%b]" % (small, GOOD, small))
    assert [fault["index"] for fault in problem.errors or ()] == [0, 2]


def test_what_is_too_large_to_be_examined_is_named() -> None:
    large = reading_json(value="[" + "0" + ",0" * (1 << 19) + "]")
    assert refused(b"[%b,%b]" % (GOOD, large)).detail == (
        "nothing was stored: index 1: is not valid, and too large to be examined for each fault"
    )


BYTES = st.binary() | st.text('[]{},:"\\ud80 \n01eE+-.tfnNaI\x00é', max_size=30).map(str.encode)


@given(st.lists(BYTES | st.just(GOOD), max_size=4), st.sampled_from([b"", b"[", b'{"type":']))
def test_every_refusal_can_be_sent_and_speaks_plainly(parts: list[bytes], start: bytes) -> None:
    for content, lines in ((start + b",".join(parts), False), (start + b"\n".join(parts), True)):
        try:
            accepted(content, lines=lines)
        except Problem as problem:
            told = json.loads(problem.body())["detail"]
            assert "`" not in told  # msgspec's quotation mark
            assert "malformed" not in told
            assert ("surrogate" not in told) or b"\\ud" in content


LONG = "x" * (1 << 19)
SURROGATE = reading_json(type='"\\ud800"')


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b'{"note":"' + LONG.encode(), "the body is not JSON: it ends too early"),
        (b'{"note":1} ' + LONG.encode(), "the body is not JSON: something is wrong near byte 1"),
        (b'{"note":"' + LONG.encode() + b'\xff"}', "the body is not JSON: it is not UTF-8"),
        (b"[" + GOOD + b',{"note":"' + LONG.encode(), "the body is not JSON: it ends too early"),
        (b"\xef\xbb\xbf" + GOOD + b" " * (1 << 19), "the body is not JSON: it begins with a byte"),
    ],
)
def test_what_is_not_json_is_not_taken_for_an_invalid_reading_when_it_is_large(
    content: bytes, detail: str
) -> None:
    problem = refused(content)
    assert problem.status == 400
    assert problem.detail.startswith(detail)


@pytest.mark.parametrize("blank", [b"\x0b", b"\x0c", "\u00a0".encode()])
def test_what_is_blank_to_python_and_not_to_json_is_named(blank: bytes) -> None:
    problem = refused(GOOD + b"\n" + blank + GOOD, lines=True)
    assert problem.status == 400
    assert problem.detail.startswith("line 2 is not JSON: unexpected character")


@pytest.mark.parametrize("name", ["$[77]", "$[12345]", " - at `$[77]`"])
def test_a_name_that_was_sent_is_not_taken_for_a_place(name: str) -> None:
    content = b"[0,0,{%b:1}" % json.dumps(name).encode() + b",0" * 210_000 + b"]"
    assert refused(content).errors == [
        {"index": 0, "detail": "is not valid, and too large to be examined for each fault"}
    ]
    content = content.replace(b"[0,0,", b"[" + (GOOD + b",") * 2, 1)
    (fault,) = refused(content).errors or [{}]
    assert fault["index"] == 2


def test_a_member_very_often_is_refused_without_its_name() -> None:
    often = b"{" + b'"value":1,' * (1 << 16) + GOOD[1:]
    assert refused(b"[%b,%b]" % (GOOD, often)).detail == (
        "index 1: a member occurs more than once in an object"
    )
