"""The command `formats`: it needs neither a broker nor an outbox."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from collector.formats.catalog import families
from run.configuration import ROOT

PLUG = ("tele/plug/SENSOR", '{"Time":"2026-01-31T12:00:00","A":{"t":21.5},"u":"C"}')


def formats(
    *arguments: str, payload: str = "", **settings: str
) -> subprocess.CompletedProcess[bytes]:
    """Run it with these settings."""
    return subprocess.run(
        [sys.executable, "-m", "collector", "formats", *arguments],
        input=payload.encode(),
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=os.environ | settings,
    )


def test_it_lists_what_is_taken(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[[rules]]\ntopic = 'a/{sensor}'")
    listed = formats(FORMATS="devices,tasmota", FORMATS_FILE=str(own))
    lines = listed.stdout.decode().splitlines()
    assert listed.returncode == 0, listed.stderr
    named = {line.split()[0]: line.split()[1:] for line in lines if line[0] != " "}
    assert named.keys() == {"devices", "FORMATS_FILE", *families()}
    assert named["tasmota"] == ["taken", "tele/{sensor}/SENSOR"]
    assert named["esphome"] == ["-", "{sensor}/sensor/{type}/state"]
    assert named["FORMATS_FILE"] == ["taken", "a/{sensor}"]


@pytest.mark.parametrize("payload", [PLUG[1], "-"])
def test_it_shows_the_readings_of_a_message(payload: str) -> None:
    tried = formats("try", PLUG[0], payload, payload=PLUG[1], TIME_ZONE="Europe/Berlin")
    assert tried.returncode == 0, tried.stderr
    assert tried.stdout.decode().splitlines() == [
        '{"ts":"2026-01-31T11:00:00Z","type":"A_t","value":21.5,"sensor_id":"plug"}',
        "readings: 1; values that are no numbers: 1",
    ]


def test_it_shows_those_of_a_message_on_devices() -> None:
    tried = formats("try", "devices/7/temp", '{"value":21.5,"ts":"2026-01-31T12:00:00Z"}')
    assert tried.returncode == 0, tried.stderr
    assert tried.stdout.decode().splitlines() == [
        '{"ts":"2026-01-31T12:00:00Z","type":"temp","value":21.5,"sensor_id":7}',
        "readings: 1; values that are no numbers: 0",
    ]


@pytest.mark.parametrize(
    ("topic", "payload", "said"),
    [
        ("tele/plug/SENSOR", "hello", "expected JSON, such as"),
        ("tele/plug/SENSOR", '{"Time":"2100-01-01T00:00:00","a":1}', "must lie between"),
        ("devices/7/temp", "warm", ""),
        ("greenhouse/sensor/soil/state", "1", "no format that is chosen has this topic"),
    ],
)
def test_it_says_why_a_message_is_refused(topic: str, payload: str, said: str) -> None:
    tried = formats("try", topic, payload)
    assert (tried.returncode, tried.stderr) == (1, b"")
    assert tried.stdout.decode().startswith(f"refused: {said}")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"FORMATS": "tasmoto"}, b"formats: FORMATS='tasmoto': unknown: tasmoto"),
        ({"FORMATS_FILE": "/no/file"}, b"formats: FORMATS_FILE='/no/file': expected a readable"),
        ({"TIME_ZONE": "Mars"}, b"formats: TIME_ZONE='Mars': expected the name of a time zone"),
    ],
)
def test_a_wrong_setting_ends_it(settings: dict[str, str], said: bytes) -> None:
    for arguments in ((), ("try", *PLUG)):
        ended = formats(*arguments, **settings)
        assert ended.returncode == 2
        assert ended.stderr.startswith(said)
