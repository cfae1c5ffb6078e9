"""Negative controls of the state machines: a broken build must be detected."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def assert_detected(machine: type[RuleBasedStateMachine], broken: type, steps: int = 40) -> None:
    """Assert that a machine fails whose attribute `kind` is the broken class."""
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            type("Broken", (machine,), {"kind": broken}),
            settings=settings(
                max_examples=300,
                stateful_step_count=steps,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
