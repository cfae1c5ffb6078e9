"""Bodies made to hold the event loop: each is answered soon, and in little memory."""

import time
import tracemalloc
from collections.abc import Callable

import pytest

from collector.intake import explanation, readings
from collector.intake.errors import MAX_READINGS, InvalidReadings, NotJson, TooManyReadings
from tests.builders import reading_json

SIZE = 8 << 20
LONGEST_S = 0.6
"""Of CPU time: three times the 200 ms that are wanted, for machines with other things to do."""

GOOD = reading_json()
ESCAPED = reading_json(type='"\\u0061"')[:-1].ljust(SIZE // MAX_READINGS - 2) + b"}"


BROKEN = reading_json(type='"\\ud800"')
PADDED = GOOD[:-1].ljust(800) + b"}"


def many(item: bytes, last: bytes = b"{}", size: int = SIZE) -> bytes:
    return b"[" + (item + b",") * (size // (len(item) + 1) - 1) + last + b"]"


def escaped_and(last: bytes) -> bytes:
    return b"[" + (ESCAPED + b",") * (MAX_READINGS - 1) + last + b"]"


def numbered(count: int) -> bytes:
    return b"{" + b",".join(b'"a%d":1' % number for number in range(count)) + b"}"


ARRAYS: dict[str, Callable[[], bytes]] = {
    "empty objects": lambda: many(b"{}"),
    "numbers": lambda: many(b"1"),
    "small readings": lambda: many(GOOD, GOOD),
    "small readings and a fault": lambda: b"[" + (GOOD + b",") * (MAX_READINGS - 1) + b"{}]",
    "a fault and small readings": lambda: b"[{}" + (b"," + GOOD) * (MAX_READINGS - 1) + b"]",
    "escaped readings": lambda: b"[" + b",".join([ESCAPED] * MAX_READINGS) + b"]",
    "escaped readings and a fault": lambda: many(ESCAPED),
    "a million members": lambda: numbered(700_000),
    "as many as are examined": lambda: numbered(90_000),
    "a long list": lambda: b'{"value":' + many(b"1") + b"}",
    "many long lists": lambda: many(b'{"value":' + many(b"1", b"1", 10_000) + b"}"),
    "nested arrays": lambda: b"[" * SIZE,
    "nested objects": lambda: b'[{"a":' * (SIZE // 6),
    "braces in a string": lambda: many(reading_json(type='"' + "{" * 1000 + '"')),
    "one string of braces": lambda: reading_json(type='"' + '{\\"' * (SIZE // 3 - 50) + '"'),
    "a long name": lambda: b'{"' + b"a" * SIZE + b'":1}',
    "a long number": lambda: reading_json(value="1" * SIZE),
    "a long small number": lambda: reading_json(value="0." + "1" * SIZE + "e-9999999"),
    "a long zero": lambda: reading_json(value="0." + "0" * SIZE),
    "escaped readings and one too small": lambda: escaped_and(reading_json(value="1e-400")),
    "escaped readings and a member twice": lambda: escaped_and(GOOD[:-1] + b',"value":1}'),
    "escaped readings and broken text": lambda: escaped_and(reading_json(type='"\\ud800"')),
    "small readings and broken text": lambda: many(GOOD, b"nan"),
    "blanks": lambda: b" " * SIZE,
    "half a surrogate pair and small objects": lambda: b"[" + BROKEN + b"," + many(b'{"":[]}')[1:],
    "half a surrogate pair and nested arrays": lambda: b"[" + BROKEN + b"," + many(b"[[[]]]")[1:],
    "a member very often": lambda: b"{" + b'"value":1,' * (SIZE // 10 - 9) + GOOD[1:],
    "a member very often at the end": lambda: many(
        GOOD, b"{" + b'"value":1,' * (SIZE // 20) + GOOD[1:], 9000 * len(GOOD)
    ),
    "large readings and a fault": lambda: b"[" + (PADDED + b",") * (MAX_READINGS - 1) + b"{}]",
}
LINES: dict[str, Callable[[], bytes]] = {
    "empty lines": lambda: b"\n" * SIZE,
    "blank lines": lambda: b" \n" * (SIZE // 2),
    "empty objects": lambda: b"{}\n" * (SIZE // 3),
    "small readings": lambda: (GOOD + b"\n") * (SIZE // (len(GOOD) + 1)),
    "escaped readings": lambda: b"\n".join([ESCAPED] * MAX_READINGS),
    "escaped readings and broken text": lambda: b"\n".join([ESCAPED] * (MAX_READINGS - 1) + [b"x"]),
    "a member very often": lambda: b"{" + b'"value":1,' * (SIZE // 10 - 9) + GOOD[1:],
    "long lists": lambda: (b'{"value":' + many(b"1", b"1", 10_000) + b"}\n") * (SIZE // 10_050),
    "an escaped reading and blank lines": lambda: ESCAPED + b" \n" * (SIZE // 2),
}
ACCEPTED = {"escaped readings", "an escaped reading and blank lines"}
BODIES = [*((name, False) for name in ARRAYS), *((name, True) for name in LINES)]


def refused(body: bytes, *, lines: bool) -> str:
    """Return why a body is refused, "" if it is accepted, checked to be known soon."""
    before, detail = time.thread_time(), ""
    try:
        readings.accept(body, lines=lines)
    except (InvalidReadings, NotJson, TooManyReadings) as error:
        detail = str(error)
    assert time.thread_time() - before < LONGEST_S
    return detail


@pytest.mark.parametrize(("name", "lines"), BODIES)
def test_the_event_loop_is_not_held(name: str, lines: bool) -> None:
    body = (LINES if lines else ARRAYS)[name]()
    detail = refused(body, lines=lines)
    assert len(detail) < 1000
    assert ("more than" in detail) or name != "small readings"
    assert detail or name in ACCEPTED


def test_control_explaining_every_object_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    for bound in ("_MAX_COMMAS", "MAX_FAULTS", "MAX_READINGS", "_MAX_EXAMINED_BYTES"):
        monkeypatch.setattr(explanation, bound, SIZE)
    with pytest.raises(AssertionError):
        refused(many(b"{}", size=SIZE // 16), lines=False)


def test_the_faults_of_many_objects_take_little_memory() -> None:
    body = ARRAYS["empty objects"]()
    tracemalloc.start()
    try:
        with pytest.raises(InvalidReadings):
            readings.accept(body, lines=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < SIZE
