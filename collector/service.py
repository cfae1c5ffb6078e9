"""The collector's wiring: settings → outbox → publisher → HTTP server, and their common end."""

import asyncio
import contextlib
import itertools
import logging
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import uvicorn
import uvloop

from collector.app import App, counters
from collector.endpoint import DataEndpoint
from collector.journal import Journal
from collector.outbox import Outbox
from collector.protocol import Protocol
from collector.publisher import Publisher
from collector.schema import OutboxUnusable
from collector.settings import Settings
from collector.tokens import Tokens
from telemetry import topics
from telemetry.mqtt import Message, Mqtt
from telemetry.settings import SettingError, load
from telemetry.status import INTERVAL_S, OFFLINE, Status

logger = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SHUTDOWN_S = 3
_KEEP_ALIVE_S = 75  # a device that posts once a minute need not connect each time
_BACKLOG = 2048
_PORT = "COLLECTOR_PORT"


def main() -> int:
    """Serve until SIGTERM; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    for number in _SIGNALS:
        signal.signal(number, lambda *_: sys.exit(0))  # nothing has been promised yet
    try:
        settings = load(Settings)
        tokens = Tokens.load(settings.tokens_file)
        uvloop.run(_serve(settings, tokens))
    except (SettingError, OutboxUnusable) as error:
        sys.stderr.write(f"collector: {error}\n")
        return 1
    return 0


async def _serve(settings: Settings, tokens: Tokens) -> None:
    listener = _listen(settings.collector_host, settings.collector_port)
    outbox = Outbox(
        Path(settings.outbox_path),
        max_bytes=settings.outbox_max_bytes,
        keep_s=settings.outbox_keep_hours * 3600,
    )
    mqtt, publisher = _connect(settings, outbox)
    journal = Journal()
    outbox.on_committed.append(journal.accepted)
    endpoint = DataEndpoint(outbox, tokens, publisher.wait_settled, settings)
    server = uvicorn.Server(
        uvicorn.Config(
            App(endpoint, outbox, publisher),
            http=cast("type[asyncio.Protocol]", partial(Protocol, endpoint, {})),
            access_log=False,
            log_config=None,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
    )
    logger.info(
        "collector %s listens on %s:%d, %d readings pending in %s",
        outbox.id,
        settings.collector_host,
        settings.collector_port,
        outbox.pending,
        settings.outbox_path,
    )
    for number in _SIGNALS:
        # uvicorn takes these while it serves, and raises them again after its orderly end.
        signal.signal(number, lambda *_: None)
    serving = asyncio.create_task(server.serve([listener]))
    others: list[asyncio.Future[None]] = [
        outbox.failure,
        asyncio.create_task(mqtt.run()),
        asyncio.create_task(_tick(outbox, publisher, journal, mqtt)),
    ]
    # Any of them ending is the end of the service; an error among them is its exit code.
    await asyncio.wait([serving, *others], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    ended = [task for task in others if task.done()]
    await _leave(outbox, mqtt)
    for task in others:
        task.cancel()
    await asyncio.wait(others)
    outbox.close()
    for task in ended:
        task.result()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        expected = f"cannot listen on {host}:{port}: {error.strerror}"
        raise SettingError(_PORT, str(port), expected) from None


def _connect(settings: Settings, outbox: Outbox) -> tuple[Mqtt, Publisher]:
    receipts_topic = topics.RECEIPTS + outbox.id

    def on_message(message: Message) -> None:
        try:
            if message.topic == receipts_topic:
                publisher.on_receipt(message.payload)
            else:
                publisher.on_status(message.payload, retained=message.retain)
        except msgspec.MsgspecError as error:
            logger.warning("unreadable message on %s: %s", message.topic, error)
        mqtt.ack(message)

    mqtt = Mqtt(
        **settings.broker,
        client_id=f"collector-{outbox.id}",
        subscriptions=[receipts_topic, topics.status("bridge", "+")],
        will=(topics.status("collector", outbox.id), OFFLINE),
        on_message=on_message,
        on_connected=lambda _: publisher.on_connected(),
        on_disconnected=lambda: publisher.on_disconnected(),  # noqa: PLW0108 - made below
        on_puback=lambda mid: publisher.on_puback(mid),  # noqa: PLW0108
    )
    publisher = Publisher(
        outbox, lambda topic, payload, retain: mqtt.publish(topic, payload, retain=retain)
    )
    return mqtt, publisher


async def _tick(outbox: Outbox, publisher: Publisher, journal: Journal, mqtt: Mqtt) -> None:
    """Once a second: what must happen without any request."""
    for second in itertools.count():
        await asyncio.sleep(1)
        outbox.commit()
        publisher.tick()
        journal.tick()
        if mqtt.connected and second % INTERVAL_S == 0:
            status = Status("up", counters=counters(outbox, publisher))
            topic = topics.status("collector", outbox.id)
            mqtt.publish(topic, msgspec.json.encode(status), retain=True)


async def _leave(outbox: Outbox, mqtt: Mqtt) -> None:
    """Say goodbye, and let what is on the wire arrive."""
    if mqtt.connected:
        mqtt.publish(topics.status("collector", outbox.id), OFFLINE, retain=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await mqtt.drain()
