"""The outbox under any sequence of events, and broken ones that the model must detect."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from collector.outbox.outbox import Outbox
from collector.outbox.row import Row
from telemetry.receipt import Receipt
from tests.unit.broken import assert_detected
from tests.unit.outbox_machine import OutboxMachine

TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(stateful_step_count=25, suppress_health_check=[HealthCheck.too_slow])


class Forgetful(Outbox):
    """Prunes what is old, stored or not."""

    def _write(self, rows: list[Row]) -> None:
        super()._write(rows)
        self._db.execute("DELETE FROM reading WHERE at < ?", [1_700_000_000 + 3600])


class Renumbering(Outbox):
    """Continues after the last receipt, and so reuses the numbers of pending readings."""

    def __init__(self, path: Path, *, max_bytes: int, keep_s: float) -> None:
        super().__init__(path, max_bytes=max_bytes, keep_s=keep_s)
        self.last = self._db.execute("SELECT coalesce(max(last), 0) FROM settled").fetchone()[0]


class Gullible(Outbox):
    """Settles readings that it never accepted."""

    def settle(self, receipt: Receipt) -> Receipt:
        self.settlement.apply(receipt)
        return receipt


class Hopeful(Outbox):
    """Reports a commit that is not on disk."""

    def _write(self, rows: list[Row]) -> None:
        super()._write(rows)
        if self.last:
            self._db.execute("DELETE FROM reading WHERE seq = ?", [self.last])


class Relapsing(Outbox):
    """Lets a late rejection undo what is stored."""

    def settle(self, receipt: Receipt) -> Receipt:
        already = [r for r in receipt.rejected if r.seq in self.settlement.settled]
        own = super().settle(receipt)
        for rejection in already:
            self.settlement.rejections.add(rejection.seq, rejection.reason)
        return own


class Trusting(Outbox):
    """Prunes what is stored without waiting until it was read back."""

    def settle(self, receipt: Receipt) -> Receipt:
        own = super().settle(receipt)
        self.verify(1, self.last)
        return own


class Ordered(Outbox):
    """Takes no reading for a correction."""

    def corrections(self, rows: Sequence[Row]) -> dict[int, int]:  # noqa: ARG002
        return {}


BROKEN = [Forgetful, Renumbering, Gullible, Hopeful, Relapsing, Trusting, Ordered]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_outbox_is_detected(broken: type[Outbox]) -> None:
    assert_detected(OutboxMachine, broken, steps=30)
