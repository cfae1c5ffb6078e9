"""The scenarios, with less of everything than in `make chaos`."""

import pytest

from tests.chaos.rig import Rig
from tests.chaos.scenarios import SCENARIOS, SHORT, run


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_by(name: str, rig: Rig) -> None:
    findings = run(rig, SCENARIOS[name], SHORT)
    assert findings.clean, str(findings)
