"""RETENTION and ROLLUPS: what they mean, and what is refused."""

import re

import pytest

from bridge.keeping import FOREVER, UNTOUCHED, Rollup
from bridge.settings import Settings
from telemetry.settings import SettingError, load

DAY_S = 86400


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        ("", UNTOUCHED),
        ("INF", FOREVER),
        ("inf", FOREVER),
        ("3d", 3 * DAY_S),
        ("8w", 56 * DAY_S),
        ("36500d", 36500 * DAY_S),
    ],
)
def test_how_long_readings_are_kept(text: str, expected_s: int | None) -> None:
    assert load(Settings, {"RETENTION": text}).retention_s == expected_s


def test_rollups_have_an_interval_and_a_time() -> None:
    kept = load(Settings, {"RETENTION": "30d", "ROLLUPS": "1m:90d, 1h"}).rollups_kept
    assert kept == [Rollup("1m", 90 * DAY_S), Rollup("1h", FOREVER)]
    assert [(one.name, one.interval_s) for one in kept] == [("rollup_1m", 60), ("rollup_1h", 3600)]
    assert load(Settings, {}).rollups_kept == []


INTERVALS = "expected a list of intervals that divide an hour, with times to keep: 1m:90d,1h"
TIMES = "expected 1m to be kept for a time from 3d to 36500d"
RETENTION = "expected a time from 3d to 36500d, as 30d or 8w, or INF"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        *(("RETENTION", value, RETENTION) for value in ("2d", "0d", "30", "-9d", "72h", "4d ")),
        *(("RETENTION", value, RETENTION) for value in ("36501d", "5215w", "99999w")),
        *(("ROLLUPS", value, INTERVALS) for value in ("1m:90d;1h", "7m", "1d", "0m", "1m,", "2h")),
        *(("ROLLUPS", value, INTERVALS) for value in ("1", "1m:", "1m:90", "1m:INF", " ")),
        *(("ROLLUPS", f"1m:{value}", TIMES) for value in ("2d", "0d", "36501d", "30501w")),
        ("ROLLUPS", "2m:90d,3m", "expected 3m to be a multiple of 2m"),
        ("ROLLUPS", "1h:90d,1m", "expected 1m to be a multiple of 1h"),
        ("ROLLUPS", "1m:90d,1m", "expected 1m to be a multiple of 1m"),
        ("ROLLUPS", "60s:90d,1m", "expected 1m to be a multiple of 60s"),
        ("ROLLUPS", "1m,1h", "expected 1h to be kept for longer than 1m"),
        ("ROLLUPS", "1m:90d,1h:90d", "expected 1h to be kept for longer than 1m"),
        ("ROLLUPS", "1m:30d,1h", "expected 1m to be kept for longer than RETENTION"),
    ],
)
def test_what_cannot_be_used_is_named(key: str, value: str, expected: str) -> None:
    with pytest.raises(SettingError, match=f"^{re.escape(f'{key}={value!r}: {expected}')}$"):
        load(Settings, {"RETENTION": "30d", key: value})
