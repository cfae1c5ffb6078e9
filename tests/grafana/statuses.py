"""Status messages as the bridge writes them to the measurement `pipeline`."""

from tests.grafana.conftest import line


def collector(seconds: float, instance: str = "c1", **counters: int) -> str:
    return _status("collector", instance, seconds, counters)


def bridge(seconds: float, instance: str = "bridge", **counters: int) -> str:
    return _status("bridge", instance, seconds, counters)


def _status(service: str, instance: str, seconds: float, counters: dict[str, int]) -> str:
    fields = ",".join(f"{name}={number}i" for name, number in counters.items())
    return line("pipeline", {"service": service, "instance": instance}, fields, seconds)


def collector_at(
    seconds: int, accepted: int, stored: int, pending: int, unaccounted: int = 0
) -> str:
    """Return the status of a collector that has been up since 0."""
    return collector(
        seconds,
        accepted=accepted,
        stored=stored,
        rejected=accepted - stored - pending - unaccounted,
        pending=pending,
        unbalanced=unaccounted,
        published=accepted,
        replayed=stored // 10,
        healed=accepted // 10,
        oldest_pending_s=5,
        outbox_bytes=accepted * 100,
        outbox_max_bytes=100_000,
        connections=3,
        http_refused=accepted // 2,
        mqtt_refused=accepted // 10,
        loop_lag_ms=2,
        uptime_s=seconds,
    )


def bridge_at(
    seconds: int, stored: int, queue: int, failures: int, uptime: int | None = None
) -> str:
    """Return the status of a bridge that has been up since 0, or for `uptime`."""
    return bridge(
        seconds,
        stored=stored,
        rejected=stored // 50,
        unreadable=stored // 100,
        writes=stored // 10,
        write_failures=failures,
        queue=queue,
        loop_lag_ms=4,
        write_ms=9,
        uptime_s=seconds if uptime is None else uptime,
    )
