"""Messages over TLS: the same promises, and nobody else's certificate."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.tls import Tls
from tests.certificates import Authority
from tests.integration.client import Client, run, until
from tests.integration.test_mqtt import (
    test_only_unacknowledged_messages_are_redelivered,
    test_payloads_of_every_size_arrive_unchanged,
    test_ten_thousand_messages_arrive_in_order_and_are_acknowledged,
    test_the_will_is_published_after_an_error_and_not_after_a_clean_end,
    test_what_a_callback_raises_ends_run,
)
from tests.integration.test_mqtt_outages import (
    _reconnects_soon,
    test_a_stalled_broker_is_disconnected_and_does_not_block_the_loop,
    test_an_acknowledgement_from_before_the_reconnect_is_dropped,
    test_each_publish_is_acknowledged_once_though_the_broker_is_killed,
)
from tests.stack import Broker, free_port

__all__ = [
    "_reconnects_soon",
    "test_a_stalled_broker_is_disconnected_and_does_not_block_the_loop",
    "test_an_acknowledgement_from_before_the_reconnect_is_dropped",
    "test_each_publish_is_acknowledged_once_though_the_broker_is_killed",
    "test_only_unacknowledged_messages_are_redelivered",
    "test_payloads_of_every_size_arrive_unchanged",
    "test_ten_thousand_messages_arrive_in_order_and_are_acknowledged",
    "test_the_will_is_published_after_an_error_and_not_after_a_clean_end",
    "test_what_a_callback_raises_ends_run",
]

NAME = "iot.test"


class TlsBroker(Broker):
    """A broker whose `port` speaks TLS; it is ready when its other one answers."""

    def __init__(self, directory: Path, certificate: tuple[Path, Path]) -> None:
        tls_port = free_port()
        chain, key = certificate
        settings = f"listener {tls_port} 127.0.0.1\ncertfile {chain}\nkeyfile {key}"
        super().__init__(directory, settings=settings)
        self.plain_port, self.port = self.port, tls_port

    def is_ready(self) -> bool:
        port, self.port = self.port, self.plain_port
        try:
            return super().is_ready()
        finally:
            self.port = port


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[TlsBroker]:
    with TlsBroker(tmp_path_factory.mktemp("broker"), authority.issue(NAME)) as broker:
        yield broker


@pytest.fixture
def own_broker(tmp_path: Path, authority: Authority) -> Iterator[TlsBroker]:
    with TlsBroker(tmp_path, authority.issue(NAME)) as broker:
        yield broker


@pytest.fixture(autouse=True)
def _tls(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "tls", Tls(str(authority.path), NAME))


def obstacle(port: int, tls: Tls | None) -> str | None:
    """Return why a client cannot connect; None: it can."""
    found: list[str | None] = []

    async def scenario() -> None:
        client = Client(port, tls=tls)
        async with client.started():
            await until(lambda: client.mqtt.connected or client.mqtt.obstacle)
            found.append(client.mqtt.obstacle)

    run(scenario())
    return found[0]


def test_each_fault_has_its_reason(broker: TlsBroker, authority: Authority, tmp_path: Path) -> None:
    ca = str(authority.path)
    other = str(Authority(tmp_path / "other").path)
    port = broker.port
    assert obstacle(port, Tls(ca, NAME)) is None
    assert "another name" in str(obstacle(port, Tls(ca, "other.test")))
    assert "unknown authority" in str(obstacle(port, Tls(other, NAME)))
    assert "perhaps the port speaks no TLS" in str(obstacle(broker.plain_port, Tls(ca, NAME)))
    assert "perhaps it expects TLS" in str(obstacle(port, None))
    missing = str(tmp_path / "missing")
    assert f"{missing}: expected a file with certificates" in str(obstacle(port, Tls(missing, "")))


def test_an_expired_certificate_is_refused(tmp_path: Path, authority: Authority) -> None:
    with TlsBroker(tmp_path, authority.issue(NAME, expired=True)) as broker:
        assert "has expired" in str(obstacle(broker.port, Tls(str(authority.path), NAME)))


def test_a_renewed_authority_is_read_at_the_next_attempt(tmp_path: Path) -> None:
    """Services go on after a change of all certificates without being restarted."""
    trusted = tmp_path / "ca.crt"
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    trusted.write_bytes(old.path.read_bytes())

    async def scenario(broker: TlsBroker) -> None:
        client = Client(broker.port, tls=Tls(str(trusted), NAME))
        async with client.started():
            await until(lambda: client.mqtt.obstacle)
            assert "unknown authority" in str(client.mqtt.obstacle)
            trusted.write_bytes(new.path.read_bytes())
            await until(lambda: client.mqtt.connected)

    with TlsBroker(tmp_path / "broker", new.issue(NAME)) as broker:
        run(scenario(broker))


def test_it_is_tls_indeed(own_broker: TlsBroker) -> None:
    """The control of the others."""

    async def scenario() -> None:
        client = Client(own_broker.port)
        async with client.running():
            assert client.mqtt._connection  # noqa: SLF001
            transport = client.mqtt._connection._transport  # noqa: SLF001
            assert transport.get_extra_info("ssl_object").version() == "TLSv1.3"

    run(scenario())
