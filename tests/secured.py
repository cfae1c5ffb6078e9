"""A pipeline with the accounts that users have, and with TLS between its parts if wanted."""

from pathlib import Path

from collector.access import broker, register, secrets
from collector.access.broker import Terms
from run.configuration import ROOT, write_broker_configuration
from run.parts import account
from tests.certificates import Authority
from tests.stack import Stack, free_port

_ADDRESS = "127.0.0.1"
SENDER = "sender"
"""The identity that sends readings; it may send those of every sensor."""


class Accounts:
    """The accounts of a pipeline that is not started yet, in `directory`."""

    def __init__(self, stack: Stack, directory: Path) -> None:
        """Make them, and let all four parts use them."""
        self._stack = stack
        self._directory = directory
        self.token = register.new_secret()
        terms = Terms(opened=False)
        accounts = directory / "accounts"
        secrets.make(directory / "secrets", accounts, terms)
        with register.edit(accounts, lambda saved: broker.write(accounts, saved, terms)) as entries:
            entries[SENDER] = register.entry(SENDER, ["*"], self.token)
        self._use()

    def _use(self) -> None:
        stack, directory = self._stack, self._directory
        state = stack.broker.directory
        path = write_broker_configuration(state, stack.broker.port, accounts=True)
        start = ROOT / "mosquitto" / "start.sh"
        places = (directory / "secrets", directory / "accounts", state)
        stack.broker.argv = ["sh", str(start), str(path), *map(str, places)]
        stack.influx.use_account("bridge", self._secret("influx-bridge"))
        stack.collector.env |= account(directory, "collector")
        stack.collector.env["ACCOUNTS_DIR"] = str(directory / "accounts")
        stack.bridge.env |= account(directory, "bridge")

    def speak_tls(self) -> Authority:
        """Let everything but InfluxDB speak TLS; return whom to trust."""
        stack, tls = self._stack, self._directory / "tls"
        authority = Authority(tls)
        chain, key = authority.issue(_ADDRESS, "localhost")
        chain.rename(tls / "server.crt")
        key.rename(tls / "server.key")
        port = str(free_port())
        stack.broker.env |= {"TLS": _ADDRESS, "TLS_DIR": str(tls), "MQTTS_PORT": port}
        stack.collector.env |= {"TLS": _ADDRESS, "TLS_DIR": str(tls)}
        for part in (stack.collector, stack.bridge):  # on one machine they would do without
            part.env |= {"MQTT_TLS_CA": str(authority.path), "MQTT_PORT": port}
        return authority

    def _secret(self, name: str) -> str:
        return (self._directory / "secrets" / name).read_text(encoding="utf-8").strip()
