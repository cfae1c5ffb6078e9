"""A stranger at the broker's port sends bytes of all kinds, and harms nobody else."""

import contextlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.connect import CONNECT
from tests.integration.mosquitto_clients import Subscriber, publish
from tests.integration.points import wait_points
from tests.integration.posting import client, metrics
from tests.stack import Stack, wait_for

# Of which each takes a descriptor here and one of the broker.
FLOOD = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 500)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("strangers")) as stack:
        yield stack


def text(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


def packet(kind: int, body: bytes) -> bytes:
    """Return an MQTT packet whose first byte is `kind`."""
    size, length = len(body), b""
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (128 if size else 0)])
        if not size:
            return bytes([kind]) + length + body


def connect(flags: int, rest: bytes) -> bytes:
    return packet(0x10, text(b"MQTT") + bytes([4, flags]) + b"\x00\x3c" + rest)


def publication(kind: int, topic: bytes, mid: int, payload: bytes) -> bytes:
    number = mid.to_bytes(2, "big") if kind & 0x06 else b""
    return packet(kind, text(topic) + number + payload)


ROOTS = [
    b"devices",
    b"from",
    b"to",
    b"readings",
    b"replay",
    b"receipts",
    b"status",
    b"tele",
    b"$SYS",
]
LEVELS = st.one_of(
    st.sampled_from([*ROOTS, b"a", b"bridge", b"", b"+", b"#", b"\x00", b"\xff", b"\xed\xa0\x80"]),
    st.binary(max_size=10),
)
TOPICS = st.lists(LEVELS, max_size=5).map(b"/".join) | st.just(b"devices/" + b"x" * 60_000)
PAYLOADS = st.binary(max_size=50) | st.sampled_from(
    [b"1", b'{"value":1,"ref":1}', b"[" * 5_000, b'[{"type":"t","value":1,"sensor_id":9}]']
)
PACKETS = st.one_of(
    st.builds(publication, st.integers(0x30, 0x3F), TOPICS, st.integers(0, 65_535), PAYLOADS),
    st.builds(
        lambda topic, qos: packet(0x82, b"\0\1" + text(topic) + bytes([qos])),
        TOPICS,
        st.integers(0, 255),
    ),
    st.builds(connect, st.integers(0, 255), st.binary(max_size=60)),
    st.builds(packet, st.integers(0, 255), st.binary(max_size=60)),
    st.builds(lambda kind: bytes([kind]) + b"\xff\xff\xff\x7f", st.integers(0, 255)),
    st.binary(max_size=60),
)
CUTS = st.none() | st.integers(0, 40)


def sent(port: int, content: bytes) -> None:
    """Send bytes on a connection, and end it when the broker has read them or closed it."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as stranger:
        stranger.settimeout(5)
        stranger.sendall(content)
        stranger.shutdown(socket.SHUT_WR)
        while stranger.recv(65_536):
            pass


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    first=st.sampled_from([CONNECT, b""]) | st.builds(connect, st.integers(0, 255), PAYLOADS),
    packets=st.lists(PACKETS, max_size=8),
    cut=CUTS,
)
def shower(stack: Stack, first: bytes, packets: list[bytes], cut: int | None) -> None:
    """Send packets, whole and mutilated, of which the last is cut off."""
    content = first + b"".join(packets)
    sent(stack.broker.port, content[: len(content) - cut] if cut else content)


def assert_unharmed(stack: Stack, pids: list[int]) -> None:
    services = [stack.broker, stack.collector, stack.bridge]
    assert all(service.running for service in services), stack.collector.log_text()[-3000:]
    assert [service.pid for service in services] == pids


def test_no_bytes_of_a_stranger_end_a_service_or_lose_a_reading(
    stack: Stack, tmp_path: Path
) -> None:
    pids = [part.pid for part in (stack.broker, stack.collector, stack.bridge)]
    with Subscriber(tmp_path, stack.broker, "accepted/good") as answers:
        publish(stack.broker, "devices/good/t", {"value": 0, "ref": 0})
        shower(stack)
        for number in range(1, 20):
            publish(stack.broker, "devices/good/t", {"value": number, "ref": number})
        answered = {message.payload["ref"] for message in answers.wait_received(20)}
    assert answered == set(range(20))
    assert_unharmed(stack, pids)
    assert sorted(wait_points(stack.influx, "good", 20).values()) == list(range(20))
    with client(stack.collector) as http:
        wait_for(lambda: metrics(http)["pending"] == 0)
        assert metrics(http)["unbalanced"] == 0


def test_control_bytes_that_are_mqtt_arrive(stack: Stack) -> None:
    with client(stack.collector) as http:
        refused = metrics(http)["mqtt_refused"]
        sent(stack.broker.port, CONNECT + publication(0x30, b"devices/a/t", 0, b"hot"))
        wait_for(lambda: metrics(http)["mqtt_refused"] == refused + 1)


def test_a_flood_of_connections_does_not_stop_the_others(stack: Stack, tmp_path: Path) -> None:
    pids = [part.pid for part in (stack.broker, stack.collector, stack.bridge)]
    with (
        contextlib.ExitStack() as strangers,
        Subscriber(tmp_path, stack.broker, "accepted/crowd") as answers,
        socket.create_connection(("127.0.0.1", stack.broker.port)) as device,
    ):
        device.sendall(CONNECT)
        assert device.recv(4).startswith(b"\x20\x02")
        for _ in range(FLOOD):
            with contextlib.suppress(OSError):
                stranger = strangers.enter_context(socket.socket())
                stranger.setblocking(False)
                stranger.connect_ex(("127.0.0.1", stack.broker.port))
        device.sendall(publication(0x32, b"devices/crowd/t", 1, b'{"value":1,"ref":1}'))
        answers.wait_received()
    assert_unharmed(stack, pids)
    assert len(wait_points(stack.influx, "crowd")) == 1
    publish(stack.broker, "devices/crowd later/t", {"value": 1})
    wait_points(stack.influx, "crowd later")


def test_a_flood_of_retained_messages_does_not_stop_the_others(stack: Stack) -> None:
    pids = [part.pid for part in (stack.broker, stack.collector, stack.bridge)]
    with socket.create_connection(("127.0.0.1", stack.broker.port)) as stranger:
        stranger.sendall(CONNECT)
        for number in range(10_000):
            stranger.sendall(publication(0x31, b"devices/flood/%d/x" % number, 0, b"x" * 100))
        stranger.shutdown(socket.SHUT_WR)
        while stranger.recv(100):
            pass
    publish(stack.broker, "devices/after/t", {"value": 1})
    wait_points(stack.influx, "after", timeout=60)
    assert_unharmed(stack, pids)
