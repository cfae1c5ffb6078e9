"""The client by HTTP over TLS, against servers that misbehave."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

import pytest

from device.client import CollectorClient
from device.responses import Response
from device.tls import Tls, tls
from tests.certificates import Authority
from tests.device.stub import Reply, Stub

READING = '{"type":"temp","value":1,"sensor_id":7}'


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def trusting(authority: Authority) -> Tls:
    return tls("iot.local", str(authority.path))


def client(port: int, trusting: Tls, timeout: float = 10) -> "closing[CollectorClient]":
    return closing(CollectorClient("127.0.0.1", port, tls=trusting, timeout=timeout))


def test_requests_share_one_connection(authority: Authority, trusting: Tls) -> None:
    with Stub(certificate=authority.issue("iot.local")) as stub, client(stub.port, trusting) as one:
        assert [one.post([READING]) for _ in range(3)] == [Response(201, "Created")] * 3
    assert len({request.peer for request in stub.requests}) == 1


def test_a_connection_that_was_closed_is_replaced(authority: Authority, trusting: Tls) -> None:
    faults = Reply(), Reply(cut=True)
    with (
        Stub(*faults, certificate=authority.issue("iot.local")) as stub,
        client(stub.port, trusting) as one,
    ):
        assert one.post([READING]).status == 201
        assert one.post([READING]) == Response(None, "the connection was closed")
        assert one.post([READING]).status == 201


def test_an_answer_has_its_time(authority: Authority, trusting: Tls) -> None:
    with (
        Stub(Reply(silent=True), certificate=authority.issue("iot.local")) as stub,
        client(stub.port, trusting, timeout=0.3) as one,
    ):
        assert one.post([READING]) == Response(None, "no answer in 0.3 s")


@contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """Answer what arrives on one connection with bytes and its end; None: with nothing, ever."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while connection.recv(1 << 16):
                if answer is not None:
                    connection.sendall(answer)
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "no answer in 0.3 s"),
        (b"", "closed during the TLS handshake; does the port speak TLS?"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the port speaks no TLS"),
        (b"\x20\x02\x00\x00\xd0\x00", "the port speaks no TLS"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "TLS failed: sslv3 alert handshake failure"),
        (bytes(64), "the port speaks no TLS"),
    ],
)
def test_a_port_that_does_not_speak_tls_is_said(
    trusting: Tls, answer: bytes | None, reason: str
) -> None:
    with listening(answer) as port, client(port, trusting, timeout=0.3) as one:
        response = one.post([READING])
    assert response == Response(None, reason)
    assert response.brief == reason, "cut"


def test_a_server_with_nothing_newer_than_tls_1_1_gets_no_reading(
    authority: Authority, trusting: Tls
) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(*authority.issue("iot.local"))
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = Thread(target=refuse, args=(old, listener))
        serving.start()
        with client(listener.getsockname()[1], trusting) as one:
            response = one.post([READING])
        serving.join()
    assert response == Response(None, "TLS failed: tlsv1 alert protocol version")


def refuse(context: ssl.SSLContext, listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection, pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        context.wrap_socket(connection, server_side=True)


def test_a_certificate_that_is_not_valid_yet_asks_for_the_clock(
    authority: Authority, trusting: Tls
) -> None:
    with (
        Stub(certificate=authority.issue("iot.local", early=True)) as stub,
        client(stub.port, trusting) as one,
    ):
        response = one.post([READING])
    reason = "the certificate is not valid yet; is the clock right?"
    assert response == Response(None, reason)


def test_the_name_of_a_certificate_counts_and_not_what_was_connected_to(
    authority: Authority,
) -> None:
    with Stub(certificate=authority.issue("127.0.0.1")) as stub:
        with client(stub.port, tls("iot.local", str(authority.path))) as one:
            assert one.post([READING]).status is None
        with client(stub.port, tls("127.0.0.1", str(authority.path))) as one:
            assert one.post([READING]).status == 201
