"""The collector's wiring: settings → lane → HTTP server, and their common end."""

import logging
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from collector.access.identities import Identities
from collector.formats import Formats
from collector.http.certificate import Certificate
from collector.http.data import DataEndpoint
from collector.http.limits import Limits, connections_allowed
from collector.http.server import Server
from collector.journal import Journal
from collector.lane import Devices, Lane
from collector.live.live import Live
from collector.outbox.claim import opened
from collector.settings import Settings, refuse_tokens_file
from telemetry import process
from telemetry.listeners import listen, names
from telemetry.settings import load
from telemetry.vitals import Vitals

logger = logging.getLogger(__name__)

# Python's default of 5 ms would let the auditor's thread delay requests by as much.
_SWITCH_INTERVAL_S = 0.0005


def main() -> int:
    """Serve until SIGTERM; return the exit code."""
    return process.main("collector", serve)


async def serve() -> None:
    """Serve until a signal; raises SettingError, or OutboxUnusable, also when the disk fails."""
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    settings = load(Settings)
    refuse_tokens_file()
    formats = Formats.of(settings)
    certificate = _certificate(settings)
    identities = Identities(settings.accounts, formats.terms(settings))
    listeners = listen(settings.collector_host, settings.collector_port, "COLLECTOR")
    outbox = opened(Path(settings.outbox_path), settings)
    lane = Lane(outbox, settings, Devices(formats, identities))
    journal = Journal()
    lane.outbox.add_listener(journal.on_committed)
    lane.outbox.on_superseded(journal.on_superseded)
    connections = connections_allowed(settings.connections)
    limits = Limits(connections, settings.max_connections_per_address or max(1, connections // 2))
    endpoint = DataEndpoint(lane, identities, settings)
    live = Live.of(settings)
    server = Server(endpoint, lane, live, limits, certificate)
    vitals = Vitals()
    lane.add_counters(server.connections.counters)
    lane.add_counters(vitals.counters)
    logger.info(
        "collector %s listens on %s, %d readings pending in %s",
        lane.outbox.id,
        names(listeners),
        lane.outbox.pending,
        settings.outbox_path,
    )

    async def stop() -> None:
        await server.stop()
        await live.hub.close()
        await lane.leave()

    try:
        await process.run(
            stop=stop,
            http=server.run_on(listeners),
            journal=journal.run(),
            vitals=vitals.run(),
            identities=identities.watch(),
            **(_parts_of_tls(certificate, settings) if certificate else {}),
            **lane.parts(),
        )
    finally:
        lane.outbox.close()


# Imported with TLS only: the cryptography package takes 9 MB.


def _certificate(settings: Settings) -> Certificate | None:
    if not settings.tls_names:
        return None
    from collector.access import certificates  # noqa: PLC0415

    certificates.ensure(settings.certificates, settings.tls_names)
    return Certificate(settings.certificates, settings.tls)


def _parts_of_tls(
    certificate: Certificate, settings: Settings
) -> dict[str, Coroutine[Any, Any, None]]:
    from collector.access import renewal  # noqa: PLC0415

    return {
        "certificate": certificate.watch(),
        "renewal": renewal.run(settings.certificates, settings.tls_names),
    }
