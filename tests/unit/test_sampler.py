"""A stream of packets, sampled: cut anywhere, and whatever it holds."""
# ruff: noqa: SLF001  the client below the Sampler

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.mqtt.buffered_socket import BufferedSocket
from telemetry.mqtt.sampler import Sampler
from tests.chaos.mqtt_publisher import publication
from tests.unit.test_paho_client import PACKETS, Sink

PINGRESP = b"\xd0\x00"


def made() -> Sampler:
    """Return a sampler that is not connected."""
    return Sampler({"host": "nowhere", "port": 1, "username": "", "password": ""})


def connect(sampler: Sampler) -> BufferedSocket:
    connection = BufferedSocket(sampler._client.feed, lambda: None)
    connection.connection_made(Sink())
    sampler._up = asyncio.get_running_loop().create_future()
    sampler._down = asyncio.get_running_loop().create_future()
    sampler._client.start(connection)
    return connection


MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(["readings/1/temp", "readings/2/温度", "status/bridge/b", "x" * 200]),
        st.one_of(st.binary(max_size=20), st.sampled_from([100, 130, 17_000, 70_000]).map(bytes)),
        st.booleans(),
        st.booleans(),
    ),
    max_size=8,
)


@settings(deadline=None)
@given(MESSAGES, st.lists(st.integers(1, 300), min_size=1, max_size=50))
def test_the_newest_of_each_topic_is_found_wherever_the_stream_is_cut(
    sent: list[tuple[str, bytes, bool, bool]], cuts: list[int]
) -> None:
    async def scenario() -> None:
        sampler = made()
        connection = connect(sampler)
        stream = b"".join(
            publication(topic, payload, retain=retain) + (PINGRESP if ping else b"")
            for topic, payload, retain, ping in sent
        )
        for cut in cuts:
            connection.data_received(stream[:cut])
            stream = stream[cut:]
        connection.data_received(stream)
        newest = {topic.encode(): payload for topic, payload, _, _ in sent}
        live = sum(not retain for _, _, retain, _ in sent)
        assert sampler.take() == (newest, live)
        assert sampler.take() == ({}, 0)

    asyncio.run(scenario())


@settings(deadline=None)
@given(st.lists(st.one_of(st.binary(), st.sampled_from(PACKETS)), max_size=20))
def test_invalid_bytes_at_most_end_the_connection(garbage: list[bytes]) -> None:
    async def scenario() -> None:
        connection = connect(made())
        for data in garbage:
            connection.data_received(data)

    asyncio.run(scenario())


class Pausing(Sink):
    """Counts how often reading pauses and goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")


@pytest.mark.parametrize("rest_s", [0.01, 0])
def test_reading_rests_after_each_read_and_goes_on(rest_s: float) -> None:
    async def scenario() -> None:
        taken: list[Any] = []
        transport = Pausing()
        connection = BufferedSocket(taken.append, lambda: None)
        connection.rest_s = rest_s
        connection.connection_made(transport)
        connection.data_received(b"x")
        assert transport.calls == (["pause"] if rest_s else [])
        async with asyncio.timeout(10):
            while rest_s and transport.calls != ["pause", "resume"]:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    asyncio.run(scenario())
