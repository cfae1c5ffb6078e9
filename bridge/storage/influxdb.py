"""InfluxDB 1.x: its line protocol, and the client for it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from influxdb.line_protocol import quote_ident

from bridge.storage import Outcome, Result
from bridge.storage.accounts import Accounts
from bridge.storage.answers import failure
from telemetry import influx
from telemetry.reading import label_fault
from telemetry.settings import InfluxAccess
from telemetry.thread import Thread

logger = logging.getLogger(__name__)

TIMEOUT_S = 10
_READINGS = "data"  # the measurement of the readings
_COUNTERS = "pipeline"  # that of the services' counters
_TAG_ESCAPES = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})
_STORED = Result(Outcome.STORED)
# Each shard costs memory and open files. With InfluxDB's default of a week, readings with `ts` in
# some hundred weeks are more than it can open; in twelve weeks, all since 1970 are 250 shards.
_DEFAULT_SHARD = "168h0m0s"
_SHARD = "12w"
_INFINITE = "0s"
_NO_ACCOUNTS = (
    "accounts in InfluxDB cannot be made; if the one of INFLUX_USERNAME is no administrator, use"
    " GRANT ALL PRIVILEGES TO it, or make `auditor` and `grafana` by hand"
)


class InfluxStorage:
    """Writes records as lines of InfluxDB's line protocol, over HTTP from a thread of its own."""

    name = "InfluxDB"

    def __init__(self, access: InfluxAccess, readers: Mapping[str, str] | None = None) -> None:
        """Prepare to write with the account of `access`, and to make those of `readers`.

        `readers` are passwords by name, of accounts that may read the database.
        """
        self._database = access["database"]
        self._client = influx.client(access, TIMEOUT_S)
        self._accounts = Accounts(self._client, access, readers or {})
        self._no_accounts = ""
        self._unprepared = ""
        self._thread = Thread("influxdb")

    def reading(self, series: str, value: float, ns: int) -> str:
        return f"{_series_key(series)} value={value!r} {ns}"  # a number without suffix is a float

    def counters(self, service: str, instance: str, counters: Mapping[str, int], ns: int) -> str:
        plain = all(map(str.isidentifier, counters))
        if label_fault(service) or label_fault(instance) or not plain:
            raise ValueError("service, instance and counters need plain names")
        fields = ",".join(f"{name}={number}i" for name, number in counters.items())
        return f"{_COUNTERS},instance={_tag(instance)},service={_tag(service)} {fields} {ns}"

    def time(self, record: str) -> int:
        return int(record.rpartition(" ")[2])

    def point(self, record: str) -> tuple[str, str]:
        series, _, rest = record.rpartition(" value=")
        return series, rest.partition(" ")[2]

    async def write(self, records: Sequence[str]) -> Result:
        return await self._thread.run(lambda: self._write(records))

    async def create(self) -> Result:
        return await self._thread.run(self._create)

    async def prepare(self) -> Result:
        return await self._thread.run(self._prepare)

    def close(self) -> None:
        self._client.close()

    def _write(self, records: Sequence[str]) -> Result:
        params = {"db": self._database}
        return _request(lambda: self._client.write(records, params, protocol="line"))

    def _create(self) -> Result:
        created = _request(lambda: self._client.create_database(self._database))
        if created.outcome is Outcome.STORED:
            return self._prepare()
        # No response to this says anything about the readings.
        return Result(Outcome.WAIT, created.detail)

    def _prepare(self) -> Result:
        """Make the accounts, and lengthen the default policy's shards unless someone set them."""
        detail = _request(self._accounts.make).detail
        if detail.startswith(("no answer", "401")):
            return Result(Outcome.WAIT, detail)
        if detail != self._no_accounts and "database not found" not in detail:
            self._no_accounts = detail
            if detail:
                logger.warning("%s: %s", _NO_ACCOUNTS, detail)
        detail = _request(self._lengthen_shards).detail
        if detail.startswith(("no answer", "401")):
            return Result(Outcome.WAIT, detail)
        if detail != self._unprepared and "database not found" not in detail:
            self._unprepared = detail
            logger.warning("shards keep their duration of a week: %s", detail)
        return _STORED

    def _lengthen_shards(self) -> None:
        for policy in self._client.get_list_retention_policies(self._database):
            shard = (policy["duration"], policy["shardGroupDuration"])
            if policy["default"] and shard == (_INFINITE, _DEFAULT_SHARD):
                name, database = quote_ident(policy["name"]), quote_ident(self._database)
                alter = f"ALTER RETENTION POLICY {name} ON {database} SHARD DURATION {_SHARD}"
                self._client.query(alter, method="POST")


@lru_cache(maxsize=65536)
def _series_key(series: str) -> str:
    """Return measurement and tags of a series."""
    sensor_id, type_ = series.split("/")
    return f"{_READINGS},sensor_id={_tag(sensor_id)},type={_tag(type_)}"


def _tag(label: str) -> str:
    return label.translate(_TAG_ESCAPES)


def _request(request: Callable[[], object]) -> Result:
    try:
        request()
    except Exception as error:  # noqa: BLE001  it comes from outside
        return failure(error)
    return _STORED
