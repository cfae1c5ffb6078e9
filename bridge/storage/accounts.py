"""InfluxDB's accounts: the bridge's own, with all privileges, and those that only read."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

import msgspec
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError
from influxdb.line_protocol import quote_ident, quote_literal

from telemetry import influx
from telemetry.decode import boundary
from telemetry.settings import InfluxAccess

# Without `Accept`, the client asks for msgpack.
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_EXISTS = "user already exists"  # with another password

_answer = boundary(msgspec.json.Decoder(influx.Answer[object]).decode)


class Accounts:
    """Makes the accounts of `access` and of `readers` (passwords by name) where they are missing.

    An InfluxDB with authentication and without accounts takes one statement from anybody: the one
    that makes an administrator. So the bridge makes itself that, and then the others.
    """

    def __init__(
        self, client: InfluxDBClient, access: InfluxAccess, readers: Mapping[str, str]
    ) -> None:
        self._client = client
        self._name, self._password = access["username"], access["password"]
        self._database = access["database"]
        # An administrator that already exists may have one of these names, and keeps its password.
        self._readers = {
            name: password for name, password in readers.items() if password and name != self._name
        }

    def make(self) -> None:
        """Make them; raises what InfluxDBClient does, if InfluxDB does not allow or answer it.

        The readers' right needs the database: without it, this ends with "database not found".
        """
        if not self._name or not self._password:
            return
        self._create(self._name, self._password, " WITH ALL PRIVILEGES")
        for name, password in self._readers.items():
            if self._create(name, password) == _EXISTS:
                self._execute(f"SET PASSWORD FOR {quote_ident(name)} = {_literal(password)}")
        for name in self._readers:
            on = f"ON {quote_ident(self._database)} TO {quote_ident(name)}"
            for error in self._execute(f"GRANT READ {on}"):
                raise InfluxDBClientError(error)

    def _create(self, name: str, password: str, rights: str = "") -> str:
        """Create an account; return InfluxDB's error, empty also if it exists as it should be."""
        create = f"CREATE USER {quote_ident(name)} WITH PASSWORD {_literal(password)}{rights}"
        error = next(self._execute(create), "")
        if error not in {"", _EXISTS}:
            raise InfluxDBClientError(error)
        return error

    def _execute(self, statement: str) -> Iterator[str]:
        # In the body: addresses are what servers and proxies write into their logs.
        form = urlencode({"q": statement})
        response = self._client.request("query", "POST", data=form, headers=_FORM)
        errors = [result.error for result in _answer(response.content).results if result.error]
        return iter(errors)


def _literal(text: str) -> str:
    return str(quote_literal(text)).replace("\n", "\\n")
