"""A proxy in front of InfluxDB that notes the writes, and answers some of them itself."""

from collections import Counter
from collections.abc import Callable

from tests.chaos.influx_stub import InfluxStub

Answer = tuple[int, str]
"""Status and body of a response."""


def store(_: list[str]) -> Answer | None:
    """Let InfluxDB answer."""
    return None


class InfluxProxy(InfluxStub):
    """Forwards to `upstream`; `answer` may answer a write, given its lines, instead of InfluxDB."""

    def __init__(self, *, port: int, upstream: int) -> None:
        super().__init__(port=port, upstream=upstream)
        self.answer: Callable[[list[str]], Answer | None] = store
        self.sent: Counter[str] = Counter()
        """How often each line of the readings was sent."""
        self.sizes: list[int] = []
        """How many readings each write of them had."""

    def forward(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        lines = body.decode(errors="replace").splitlines() if path.startswith("/write") else []
        if lines and lines[0].startswith("data,"):
            self.sent.update(lines)
            self.sizes.append(len(lines))
            if answer := self.answer(lines):
                return answer[0], {}, answer[1].encode()
        return super().forward(method, path, body, headers)
