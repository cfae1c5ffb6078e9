"""GET /readyz: whether readings are accepted and published, by all workers."""

from collections.abc import Sequence

import msgspec

from collector.lane import Lane
from collector.peers import Peers

_QUESTION = "obstacles"

_reasons = msgspec.json.Decoder(list[str]).decode


class Readiness:
    """Whether all workers of a collector are ready."""

    def __init__(self, lanes: Sequence[Lane], peers: Peers) -> None:
        """`lanes` are those of this worker."""
        self._lanes = lanes
        self._peers = peers
        peers.add_answer(_QUESTION, lambda: msgspec.json.encode(self._own()))

    async def obstacles(self) -> list[str]:
        """Return why they are not, each reason once; a worker that does not answer is one.

        That is one that has said nothing for 5 s: one may be busy, or be starting.
        """
        reasons = self._own()
        for number, answer in (await self._peers.ask(_QUESTION)).items():
            if answer:
                reasons += _reasons(answer)
            elif self._peers.is_silent(_QUESTION, number):
                reasons.append(f"worker {number} of {self._peers.count} does not answer")
        return list(dict.fromkeys(reasons))

    def _own(self) -> list[str]:
        return [reason for lane in self._lanes for reason in lane.obstacles()]
