"""The outbox under whatever may happen, and some outboxes that must be found out."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from collector.outbox import Outbox
from telemetry.receipt import Receipt
from tests.unit.outbox_model import OutboxMachine

TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(stateful_step_count=25, suppress_health_check=[HealthCheck.too_slow])


class Forgetful(Outbox):
    """Tidies away what is old, be it stored or not."""

    def _prune(self) -> None:
        self._db.execute("DELETE FROM reading WHERE at < ?", [1_700_000_000 + 3600])


class Renumbering(Outbox):
    """Goes on after the last receipt, and so uses the numbers of what is pending again."""

    def __init__(self, path: Path, *, max_bytes: int, keep_s: float) -> None:
        super().__init__(path, max_bytes=max_bytes, keep_s=keep_s)
        self.last = self._db.execute("SELECT coalesce(max(last), 0) FROM settled").fetchone()[0]


class Gullible(Outbox):
    """Takes a receipt's word for readings that it never accepted."""

    def settle(self, receipt: Receipt) -> None:
        """Apply a receipt, all of it."""
        super().settle(receipt)
        for first, last in receipt.stored:
            self._settle(first, last)


class Hopeful(Outbox):
    """Says that a commit is on the disk once SQLite has it in memory."""

    def commit(self) -> None:
        """Write, and take it back."""
        super().commit()
        if self.last:
            self._db.execute("DELETE FROM reading WHERE seq = ?", [self.last])


class Relapsing(Outbox):
    """Lets a late refusal undo what is stored."""

    def settle(self, receipt: Receipt) -> None:
        """Apply a receipt, the refusals whatever was before."""
        for rejection in receipt.rejected:
            self.settled.remove(rejection.seq, rejection.seq)
        super().settle(receipt)


@pytest.mark.parametrize("broken", [Forgetful, Renumbering, Gullible, Hopeful, Relapsing])
def test_a_broken_outbox_is_found_out(broken: type[Outbox]) -> None:
    machine = type("Broken", (OutboxMachine,), {"kind": broken})
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=300,
                stateful_step_count=30,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
