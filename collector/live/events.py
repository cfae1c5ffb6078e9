"""Events of /live, as text/event-stream."""

import time
from collections.abc import Iterable
from typing import Any

import msgspec


def readings(found: Iterable[bytes], *, whole: bool, **counts: int) -> bytes:
    """Return the event of some readings, or with `whole` of all there are."""
    head = msgspec.json.encode({"all": whole, **counts})[:-1]
    return b'event: readings\ndata: %b,"readings":[%b]}\n\n' % (head, b",".join(found))


def pipeline(
    obstacle: str | None,
    grafana: dict[str, Any] | None,
    services: list[dict[str, Any]],
    rate: float,
) -> bytes:
    """Return the event of the services; `obstacle` is why there is no connection to the broker."""
    data = {
        "at": time.time_ns() // 1_000_000,
        "broker": {"up": obstacle is None, "reason": obstacle},
        "services": services,
        "rate": rate,
        "grafana": grafana,
    }
    return b"event: pipeline\ndata: %b\n\n" % msgspec.json.encode(data)
