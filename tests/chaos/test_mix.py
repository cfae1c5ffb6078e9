"""Faults of all kinds, several at once."""

import pytest

from tests.chaos.mix import Mix
from tests.chaos.rig import Rig

SEED = 7
RATE = 400.0
MIX_S = 15.0


def test_a_short_mix(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    mix = Mix(rig, seed=SEED, log=lines.append)
    findings = mix.run(MIX_S, rate=RATE)
    with capsys.disabled():
        print("", *lines, sep="\n")  # noqa: T201  the faults and findings, in a passing run too
    assert findings.clean
