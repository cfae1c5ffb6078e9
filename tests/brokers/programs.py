"""NATS and RabbitMQ as real processes, with the settings of docs/brokers.md."""

import shutil
from pathlib import Path

from tests.connect import answers_connect
from tests.service import Service, free_port


class OtherBroker(Service):
    """A broker that is ready when it answers a CONNECT."""

    kind: str
    program: str

    def __init__(
        self, directory: Path, argv: list[str], port: int, env: dict[str, str] | None = None
    ) -> None:
        self.port = port
        super().__init__(self.kind, directory, argv, env)

    @classmethod
    def is_installed(cls) -> bool:
        return shutil.which(cls.program) is not None

    def is_ready(self) -> bool:
        return answers_connect(self.port)


class Nats(OtherBroker):
    """nats-server, which needs JetStream for MQTT."""

    kind = "nats"
    program = "nats-server"

    def __init__(self, directory: Path) -> None:
        port = free_port()
        directory.mkdir(parents=True)
        configuration = directory / "nats.conf"
        configuration.write_text(
            f'server_name: cell\nlisten: "127.0.0.1:{free_port()}"\n'
            f'jetstream {{ store_dir: "{directory}/data", sync_interval: always }}\n'
            f'mqtt {{ listen: "127.0.0.1:{port}", ack_wait: "10m", max_ack_pending: 4000 }}\n'
        )
        super().__init__(directory, [self.program, "-c", str(configuration)], port)


class RabbitMQ(OtherBroker):
    """rabbitmq-server 4, and the epmd that it needs to find itself."""

    kind = "rabbitmq"
    program = "rabbitmq-server"

    def __init__(self, directory: Path) -> None:
        port = free_port()
        directory.mkdir(parents=True)
        (directory / "plugins").write_text("[rabbitmq_mqtt].\n")
        (directory / "rabbitmq.conf").write_text(
            "listeners.tcp = none\n"
            f"mqtt.listeners.tcp.default = 127.0.0.1:{port}\n"
            "mqtt.prefetch = 5000\n"
        )
        epmd = {"ERL_EPMD_PORT": str(free_port()), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        environment = {
            **epmd,
            "HOME": str(directory),
            "RABBITMQ_NODENAME": "cell@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(directory / "data"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RUNNING_UNDER_SYSTEMD": "1",  # the script becomes the broker, which gets the signals
            "RABBITMQ_PID_FILE": str(directory / "pid"),
        }
        super().__init__(directory, [self.program], port, environment)
        self._epmd = Service("epmd", directory / "epmd", ["epmd"], epmd)

    def start(self) -> None:
        if not self._epmd.running:
            self._epmd.start()
        super().start()

    def stop(self, timeout: float = 10.0) -> int:
        code = super().stop(timeout)
        self._epmd.stop()
        return code


BROKERS: tuple[type[Nats | RabbitMQ], ...] = (Nats, RabbitMQ)
