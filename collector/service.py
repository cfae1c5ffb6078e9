"""The collector's wiring: settings → lane → HTTP server, and their common end."""

import asyncio
import logging
import sys
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from collector.access.identities import Identities
from collector.adoption import Adoption
from collector.formats import Formats
from collector.http.certificate import Certificate
from collector.http.data import DataEndpoint
from collector.http.limits import Limits, connections_allowed
from collector.http.server import Server
from collector.intake.draft import stamp_with
from collector.journal import Journal
from collector.lane import Devices, Lane
from collector.live.live import Live
from collector.outbox.claim import claim
from collector.outbox.outbox import Outbox
from collector.outbox.outboxes import number_of
from collector.parent import Parent
from collector.peers import Peers
from collector.settings import Settings, refuse_tokens_file
from telemetry import process
from telemetry.listeners import bind, listen, names
from telemetry.settings import load
from telemetry.vitals import Vitals

logger = logging.getLogger(__name__)

# Python's default of 5 ms would let the auditor's thread delay requests by as much.
_SWITCH_INTERVAL_S = 0.0005


def main(parent: Parent | None = None) -> int:
    """Serve until SIGTERM, or the end of a worker's parent; return the exit code."""
    return process.main("collector", partial(serve, parent))


async def serve(parent: Parent | None) -> None:
    """Serve until a signal; raises SettingError, or OutboxUnusable, also when the disk fails."""
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    settings = load(Settings)
    refuse_tokens_file()
    formats = Formats.of(settings)
    certificate = _certificate(settings)
    identities = Identities(settings.accounts, formats.terms(settings))
    address = (settings.collector_host, settings.collector_port, "COLLECTOR")
    listeners = bind(*address, shared=True) if parent else listen(*address)
    journal = Journal()
    first = Path(settings.outbox_path)
    devices = Devices(formats, identities)

    def lane_of(outbox: Outbox) -> Lane:
        outbox.add_listener(journal.on_committed)
        outbox.on_superseded(journal.on_superseded)
        return Lane(outbox, settings, devices if outbox.path == first else None)

    lane = lane_of(claim(settings))
    lanes = [lane]  # and those that are adopted
    stamp_with(number_of(lane.outbox.path, first))
    connections = connections_allowed(settings.connections)
    limits = Limits(connections, settings.max_connections_per_address or max(1, connections // 2))
    endpoint = DataEndpoint(lane, identities, settings)
    live = Live.of(settings)
    peers = Peers()
    if parent:
        peers = Peers(parent.listener, parent.name, parent.number, settings.workers)
    server = Server(endpoint, lanes, live, limits, peers=peers, certificate=certificate)
    vitals = Vitals()
    lane.add_counters(server.connections.counters)
    lane.add_counters(vitals.counters)
    logger.info(
        "collector %s listens on %s, %d readings pending in %s",
        lane.outbox.id,
        names(listeners),
        lane.outbox.pending,
        lane.outbox.path,
    )

    async def stop() -> None:
        await server.stop()
        await live.hub.close()
        await asyncio.gather(*(one.leave() for one in lanes))

    if parent:
        parent.tell_ready()

    try:
        await process.run(
            stop=stop,
            http=server.run_on(listeners),
            journal=journal.run(),
            vitals=vitals.run(),
            peers=peers.run(),
            identities=identities.watch(),
            adoption=Adoption(lanes, settings, lane_of).run(),
            **(_parts_of_tls(certificate, settings) if certificate else {}),
            **lane.parts(),
            **({"parent": parent.gone()} if parent else {}),
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
