"""`make stack` without a swarm: what it refuses, and whom it lets read what it has made."""

from pathlib import Path

import pytest

from run.stack import main, make_secrets
from telemetry.settings import SettingError


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("tcp://127.0.0.1:1", "none answers, or not to this user"),
        ("nonsense", "Invalid bind address format: port is required: nonsense"),
    ],
)
def test_without_an_engine_nothing_is_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    host: str,
    said: str,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    assert main([], tmp_path / ".stack") == 1
    assert f"make stack: no Docker engine at {host}: {said}\n" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [{"GRAFANA_PASSWORD": "short"}, {"TLS": "a b"}])
def test_what_is_refused_changes_nothing(tmp_path: Path, wrong: dict[str, str]) -> None:
    made = make_secrets(tmp_path, {})
    with pytest.raises(SettingError):
        make_secrets(tmp_path, {"GRAFANA_PASSWORD": "long enough", **wrong})
    assert make_secrets(tmp_path, {}) == made


def test_a_password_written_by_hand_stays_and_is_private(tmp_path: Path) -> None:
    by_hand = tmp_path / "secrets" / "influx-bridge"
    by_hand.parent.mkdir(mode=0o755)
    by_hand.write_text("of the administrator\n")
    by_hand.chmod(0o644)
    assert make_secrets(tmp_path, {})["influx-bridge"] == b"of the administrator\n"
    assert by_hand.stat().st_mode & 0o777 == 0o600
    assert by_hand.parent.stat().st_mode & 0o777 == 0o700
