"""The accepted readings in the collector's log, and problem details (RFC 9457)."""

import contextlib
import json
from http import HTTPStatus
from pathlib import Path

import pytest

from collector.http.problem import Problem
from collector.journal import LINES_PER_SECOND, Journal
from collector.outbox.row import Row

READING = Row(
    1,
    0,
    0,
    "123/temp",
    b'{"id":"a:1","ts":"2026-01-31T12:00:00Z","type":"temp","value":25,"sensor_id":123}',
)
LINE = "ts=2026-01-31T12:00:00Z type=temp value=25 sensor_id=123\n"


def test_a_few_readings_are_logged_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal()
    journal.on_committed([READING])
    journal.on_committed([READING, READING])
    journal.tick()
    assert capsys.readouterr().out == LINE * 3


def test_a_log_that_cannot_be_written_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("w", encoding="ascii")  # noqa: SIM115  it cannot be closed well
    monkeypatch.setattr("sys.stdout", full)
    journal = Journal()
    journal.on_committed([READING])
    journal.on_committed([READING._replace(payload=READING.payload.replace(b"temp", "é".encode()))])
    journal.on_committed([READING] * 100)
    journal.tick()
    with contextlib.suppress(OSError):
        full.close()


def test_many_readings_are_summarized_once_per_second(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal()
    journal.on_committed([READING] * LINES_PER_SECOND)
    journal.on_committed([READING])
    journal.on_committed([READING] * 100)
    assert capsys.readouterr().out == LINE * LINES_PER_SECOND
    journal.tick()
    assert capsys.readouterr().out == f"accepted {LINES_PER_SECOND + 101} readings in a second\n"
    journal.tick()
    journal.on_committed([READING])
    assert capsys.readouterr().out == LINE


def test_a_problem_has_the_members_of_the_rfc() -> None:
    problem = Problem(HTTPStatus.NOT_FOUND, "no such thing", headers={"X": "y"})
    assert json.loads(problem.body()) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "no such thing",
    }
    assert (str(problem), problem.headers) == ("no such thing", {"X": "y"})


def test_a_problem_keeps_an_empty_list_of_errors() -> None:
    assert json.loads(Problem(HTTPStatus.BAD_REQUEST, "d", errors=[]).body())["errors"] == []
