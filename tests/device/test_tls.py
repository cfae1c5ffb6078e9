"""`python -m device --tls` as a process: what it trusts, and what it says when it does not."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.certificates import Authority
from tests.device.mqtt_stub import MqttStub
from tests.device.process import Device
from tests.device.stub import Reply, Stub
from tests.device.test_standalone import BARE
from tests.service import free_port, wait_for
from tests.stack import Broker

NAME = "iot.local"
SENSOR = 4200
OPTIONS = f"--rate 100 --count 20 --sensor-id {SENSOR}".split()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


class Server(NamedTuple):
    """Something that speaks TLS, with the options that make the device speak its protocol."""

    port: int
    options: Sequence[str]
    number_taken: Callable[[], int]


Serve = Callable[[tuple[Path, Path], int], Server]


@pytest.fixture(params=["http", "mqtt"])
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serve]:
    """Starts a server with a certificate at a port; each call stops the one before."""
    with ExitStack() as running:

        def serve(certificate: tuple[Path, Path], port: int) -> Server:
            running.close()
            if request.param == "http":
                stub = running.enter_context(Stub(port=port, certificate=certificate))
                return Server(port, [], lambda: len(stub.accepted))
            broker = running.enter_context(tls_broker(tmp_path / "broker", port, certificate))
            collector = running.enter_context(MqttStub(broker.port, SENSOR))
            return Server(port, ["--mqtt"], lambda: len(collector.messages))

        yield serve


def tls_broker(directory: Path, port: int, certificate: tuple[Path, Path]) -> Broker:
    """Return a broker with a plain port of its own and TLS at `port`."""
    chain, key = certificate
    settings = f"listener {port} 127.0.0.1\ncertfile {chain}\nkeyfile {key}\n"
    return Broker(directory, settings=settings)


def trusting(authority: Authority, name: str = NAME) -> list[str]:
    return [*OPTIONS, "--tls", name, "--tls-ca", str(authority.path)]


@pytest.mark.parametrize("names", [NAME, f" {NAME} , 192.168.1.5", "127.0.0.1", "[::1],x"])
def test_readings_arrive_at_a_server_with_the_first_of_the_names(
    tmp_path: Path, authority: Authority, serve: Serve, names: str
) -> None:
    server = serve(authority.issue(NAME, "127.0.0.1", "::1"), free_port())
    with Device(tmp_path, server.port, *server.options, *trusting(authority, names)) as device:
        assert device.end() == 0, device.log_text()
    assert server.number_taken() == 20
    assert "not accepted" not in device.log_text()


def test_nothing_but_python_is_needed(tmp_path: Path, authority: Authority) -> None:
    with (
        Stub(certificate=authority.issue(NAME)) as stub,
        Device(tmp_path, stub.port, *trusting(authority), python=BARE) as device,
    ):
        assert device.end() == 0, device.log_text()


def test_without_an_authority_those_of_the_system_count(
    tmp_path: Path, authority: Authority
) -> None:
    with Stub(certificate=authority.issue(NAME)) as stub:
        device = Device(tmp_path, stub.port, *OPTIONS, "--tls", NAME, "--tls-ca", "")
        device.env["SSL_CERT_FILE"] = str(authority.path)
        with device:
            assert device.end() == 0, device.log_text()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("other.local", f"the certificate is not for {NAME}: see --tls;"),
        ("127.0.0.1", f"the certificate is not for {NAME}: see --tls;"),
        (NAME, "the certificate has expired;"),
    ],
)
def test_a_certificate_that_does_not_fit_gets_no_reading_until_it_is_replaced(
    tmp_path: Path, authority: Authority, serve: Serve, name: str, reason: str
) -> None:
    server = serve(authority.issue(name, expired=name == NAME), free_port())
    with Device(tmp_path, server.port, *server.options, *trusting(authority)) as device:
        wait_for(lambda: f"not accepted: {reason}" in device.log_text(), what="the reason")
        assert server.number_taken() == 0
        server = serve(authority.issue(NAME), server.port)
        assert device.end(60) == 0, device.log_text()
    assert server.number_taken() == 20


def test_an_unknown_authority_gets_no_reading_until_it_is_trusted(
    tmp_path: Path, authority: Authority, serve: Serve
) -> None:
    other = Authority(tmp_path / "other")
    server = serve(other.issue(NAME), free_port())
    reason = "not accepted: the certificate is of an unknown authority: see --tls-ca;"
    with Device(tmp_path, server.port, *server.options, *trusting(authority)) as device:
        wait_for(lambda: reason in device.log_text(), what="the reason")
        assert server.number_taken() == 0
        authority.path.unlink()
        missing = "not accepted: --tls-ca: No such file or directory;"
        wait_for(lambda: missing in device.log_text(), 20, "what is missing")
        shutil.copy(other.path, authority.path)
        assert device.end(60) == 0, device.log_text()
    assert server.number_taken() == 20


def test_nothing_is_lost_when_the_broker_is_killed(tmp_path: Path, authority: Authority) -> None:
    port = free_port()
    options = ["--mqtt", *trusting(authority), "--count", "300"]
    with (
        tls_broker(tmp_path / "broker", port, authority.issue(NAME)) as broker,
        MqttStub(broker.port, SENSOR) as stub,
        Device(tmp_path, port, *options) as device,
    ):
        wait_for(lambda: len(stub.messages) > 50, what="readings")
        broker.kill()
        broker.start()
        broker.wait_ready()
        assert device.end(60) == 0, device.log_text()
    assert "not accepted: " in device.log_text()
    assert device.summary()["accepted"] == 300


@pytest.mark.parametrize("content", ["", "text", None])
def test_an_unreadable_authority_is_named_before_anything_is_sent(
    tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "ca.crt"
    reason = "expected a certificate (PEM)"
    if content is None:
        reason = "No such file or directory"
    else:
        file.write_text(content)
    with Stub() as stub:
        options = ["--tls", NAME, "--tls-ca", str(file)]
        with Device(tmp_path, stub.port, *options) as device:
            assert device.end() == 1
    assert f"error: --tls-ca {file}: {reason}" in device.log_text()
    assert stub.requests == []


def test_an_empty_name_is_plain_text_whatever_authority_is_named(tmp_path: Path) -> None:
    with (
        Stub() as stub,
        Device(tmp_path, stub.port, *OPTIONS, "--tls", "", "--tls-ca", "/nowhere") as device,
    ):
        assert device.end() == 0, device.log_text()


@pytest.mark.parametrize("protocol", ["http", "mqtt"])
def test_tls_asked_of_a_plain_port_is_said(
    tmp_path: Path, authority: Authority, broker: Broker, protocol: str
) -> None:
    with Stub() as stub:
        port = stub.port if protocol == "http" else broker.port
        mqtt = [] if protocol == "http" else ["--mqtt"]
        with Device(tmp_path, port, *mqtt, *trusting(authority)) as device:
            wait_for(lambda: "not accepted: " in device.log_text(), what="a fault")
            device.stop()
    assert "speaks no TLS" in device.log_text() or "does the port speak TLS" in device.log_text()
    assert stub.requests == []


@pytest.mark.parametrize(
    "text",
    ["this port speaks HTTPS\n", '{"detail":"this port speaks HTTPS, and this was plain text"}'],
)
def test_plain_http_to_a_port_with_tls_keeps_the_readings(tmp_path: Path, text: str) -> None:
    refusal = Reply(400, text)
    with Stub(refusal, refusal) as stub, Device(tmp_path, stub.port, *OPTIONS) as device:
        assert device.end() == 0, device.log_text()
    assert "not accepted: this port speaks HTTPS: see --tls; " in device.log_text()
    assert len(stub.accepted) == 20


def test_control_any_other_400_is_about_the_readings(tmp_path: Path) -> None:
    with Stub(Reply(400, "not JSON")) as stub, Device(tmp_path, stub.port, *OPTIONS) as device:
        assert device.end() == 1
    assert len(stub.accepted) == 19


def test_plain_mqtt_to_a_port_with_tls_is_said(tmp_path: Path, authority: Authority) -> None:
    port = free_port()
    with (
        tls_broker(tmp_path / "broker", port, authority.issue(NAME)),
        Device(tmp_path, port, *OPTIONS, "--mqtt") as device,
    ):
        wait_for(
            lambda: "is this a broker's port without TLS?" in device.log_text(), what="a fault"
        )
