"""The tokens file, and what each token allows."""

from http import HTTPStatus
from pathlib import Path

import pytest

from collector.access.identity import SensorForbidden
from collector.access.tokens import Tokens, UnknownToken
from collector.http.refusal import refusal
from telemetry.reading import Reading
from telemetry.settings import SettingError

FILE = "# token sensor_id\n\nsecret-a 123\nsecret-a  kitchen 2 \nsecret-b *\n  \nsecret-c 7\n"


def tokens(path: Path, text: str | bytes = FILE) -> Tokens:
    file = path / "tokens"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return Tokens.load(str(file))


def status(known: Tokens, authorization: str | None, *sensor_ids: str) -> int:
    """Return the status of the refusal, 0 if there is none."""
    readings = [Reading(type="t", value=1, sensor_id=sensor_id) for sensor_id in sensor_ids]
    try:
        known.identify((authorization or "").encode()).check(readings)
    except (UnknownToken, SensorForbidden) as error:
        problem = refusal(error)
        assert problem
        if problem.status == HTTPStatus.UNAUTHORIZED:
            assert problem.headers == {"WWW-Authenticate": "Bearer"}
        return problem.status.value
    return 0


@pytest.mark.parametrize(
    ("authorization", "sensor_ids", "expected"),
    [
        (None, [], 401),
        ("", [], 401),
        ("Bearer", [], 401),
        ("Bearer ", [], 401),
        ("secret-a", [], 401),
        ("Basic secret-a", [], 401),
        ("Bearer secret-x", [], 401),
        ("Bearer secret-a secret-b", [], 401),
        ("Bearer #", [], 401),
        ("Bearer secret-a", [], 0),
        ("bearer  secret-a ", ["123"], 0),
        ("Bearer secret-a", ["123", "kitchen 2", "123"], 0),
        ("Bearer secret-a", ["kitchen"], 403),
        ("Bearer secret-a", ["123", "7"], 403),
        ("Bearer secret-a", ["*"], 403),
        ("Bearer secret-b", ["123", "7", "whatever"], 0),
        ("Bearer secret-c", ["7"], 0),
        ("Bearer secret-c", ["07"], 403),
    ],
)
def test_what_a_token_allows(
    tmp_path: Path, authorization: str | None, sensor_ids: list[str], expected: int
) -> None:
    assert status(tokens(tmp_path), authorization, *sensor_ids) == expected


def test_without_a_tokens_file_every_request_is_allowed() -> None:
    assert status(Tokens.load(""), None, "123") == 0


def test_with_an_empty_tokens_file_no_request_is_allowed(tmp_path: Path) -> None:
    assert status(tokens(tmp_path, ""), "Bearer x") == 401


def test_a_line_without_a_sensor_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"TOKENS_FILE=.*line 2: expected `<token> <sensor_id"):
        tokens(tmp_path, "a 1\nlonely\n")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"TOKENS_FILE='.*nowhere': expected a readable file"):
        Tokens.load(str(tmp_path / "nowhere"))
    with pytest.raises(SettingError, match="expected a readable file"):
        tokens(tmp_path, b"\xff 1\n")
