"""InfluxDB 1.x: its line protocol, and the client for it."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

from bridge.keeping import Rollup
from bridge.storage import Outcome, Result, due
from bridge.storage.accounts import Accounts
from bridge.storage.answers import failure
from bridge.storage.copies import Copies
from bridge.storage.retention import Policies
from bridge.storage.rollups import READINGS, Rollups
from telemetry import influx
from telemetry.reading import label_fault
from telemetry.settings import InfluxAccess
from telemetry.thread import Thread

logger = logging.getLogger(__name__)

TIMEOUT_S = 10
_BACKGROUND_TIMEOUT_S = 300
_TURN_EVERY_S = 10
_COUNTERS = "pipeline"  # that of the services' counters
_TAG_ESCAPES = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})
_STORED = Result(Outcome.STORED)
_KEPT_FOR_LONGER = "readings are kept for longer than RETENTION"
_NO_ACCOUNTS = (
    "accounts in InfluxDB cannot be made; if the one of INFLUX_USERNAME is no administrator, use"
    " GRANT ALL PRIVILEGES TO it, or make `auditor` and `grafana` by hand"
)


class InfluxStorage:
    """Writes records as lines of InfluxDB's line protocol, over HTTP from a thread of its own."""

    name = "InfluxDB"

    def __init__(
        self,
        access: InfluxAccess,
        readers: Mapping[str, str] | None = None,
        keep_s: int | None = None,
        rollups: Sequence[Rollup] = (),
        copies: Copies = Copies(),  # noqa: B008  immutable
    ) -> None:
        """Prepare to write with the account of `access`, and to make those of `readers`.

        `readers` are passwords by name, of accounts that may read the database. Readings are kept
        for `keep_s`, or as long as InfluxDB is told otherwise, and `rollups` are made of them.
        """
        self._database = access["database"]
        self._has_several = len(access["addresses"]) > 1
        self._client = influx.client(access, TIMEOUT_S)
        self._accounts = Accounts(self._client, access, readers or {})
        self._said: dict[str, str] = {}
        self._copies = copies
        self._policies = Policies(self._client, self._database, copies.number)
        self._due = due.Due(self._client, self._database)
        self._keep_s = keep_s
        self._is_prepared = asyncio.Event()
        self._thread = Thread("influxdb")
        background = influx.client(access, _BACKGROUND_TIMEOUT_S)
        self._has_rollups = bool(rollups)
        self._rollups = Rollups(background, self._database, rollups, copies=copies.number)

    def reading(self, series: str, value: float, ns: int) -> str:
        return f"{_series_key(series)} value={value!r} {ns}"  # a number without suffix is a float

    def counters(self, service: str, instance: str, counters: Mapping[str, int], ns: int) -> str:
        plain = all(map(str.isidentifier, counters))
        if label_fault(service) or label_fault(instance) or not plain:
            raise ValueError("service, instance and counters need plain names")
        fields = ",".join(f"{name}={number}i" for name, number in counters.items())
        return f"{_COUNTERS},instance={_tag(instance)},service={_tag(service)} {fields} {ns}"

    def time(self, record: str) -> int:
        return int(record[record.rindex(" ") :])

    def point(self, record: str) -> tuple[str, str]:
        series, _, rest = record.rpartition(" value=")
        return series, rest.partition(" ")[2]

    async def write(self, records: Sequence[str]) -> Result:
        return await self._thread.run(lambda: self._named(self._write(records)))

    async def create(self) -> Result:
        return await self._thread.run(lambda: self._named(self._create()))

    async def prepare(self) -> Result:
        result = await self._thread.run(lambda: self._named(self._prepare()))
        self._is_prepared.set()
        return result

    async def maintain(self) -> None:
        thread = Thread("rollups")
        await self._is_prepared.wait()  # before, there may be no account
        while True:
            await thread.run(self._roll_up)
            if self._rollups.may_shorten_since:
                # Between two writes, so that none of them makes an hour due that is deleted then.
                await self._thread.run(self._shorten)
            await asyncio.sleep(_TURN_EVERY_S)

    def close(self) -> None:
        self._client.close()

    def _write(self, records: Sequence[str]) -> Result:
        if not self._has_rollups:
            return self._post(records)
        markers = due.lines([self.time(record) for record in records], time.time_ns())
        result = self._post([*records, *markers])
        # The number of dropped points must not include markers. What is rejected needs none, and
        # what is not is written again.
        return self._post(records) if result.outcome is Outcome.REJECTED else result

    def _post(self, records: Sequence[str]) -> Result:
        params = {"db": self._database}
        if self._copies.needed:
            params["consistency"] = self._copies.needed
        return _request(lambda: self._client.write(records, params, protocol="line"))

    def _named(self, result: Result) -> Result:
        """Add which of several addresses answered so; of those that do not, the log tells."""
        waits = result.outcome in {Outcome.WAIT, Outcome.FAILED}
        if self._has_several and waits and not result.detail.startswith("no answer: "):
            return result._replace(detail=f"{result.detail} ({influx.asked(self._client)})")
        return result

    def _roll_up(self) -> None:
        detail = _request(self._rollups.turn).detail
        if self._has_rollups:
            self._warn("readings are not rolled up", detail)
        if keep_s := self._keep_s:
            self._warn(_KEPT_FOR_LONGER, _request(lambda: self._rollups.look(keep_s)).detail)

    def _shorten(self) -> None:
        """Keep readings for as short a time as is set, if they are still rolled up."""
        keep_s, since = self._keep_s, self._rollups.may_shorten_since
        if keep_s and since:
            shorten = partial(self._policies.shorten_raw, keep_s, self._due, since)
            self._warn(_KEPT_FOR_LONGER, _request(shorten).detail)

    def _create(self) -> Result:
        created = _request(self._policies.create_database)
        if created.outcome is Outcome.STORED:
            return self._prepare()
        # No response to this says anything about the readings.
        return Result(Outcome.WAIT, created.detail)

    def _prepare(self) -> Result:
        """Make the accounts; set copies and duration of the default policy and its shards."""
        detail = _request(self._accounts.make).detail
        if detail.startswith(("no answer", "401")):
            return Result(Outcome.WAIT, detail)
        self._warn(_NO_ACCOUNTS, detail)
        detail = _request(self._set_policy).detail
        if detail.startswith(("no answer", "401")):
            return Result(Outcome.WAIT, detail)
        self._warn("retention and shards keep their durations, and copies their number", detail)
        return _STORED

    def _set_policy(self) -> None:
        self._policies.copy_raw()
        self._policies.keep_raw(self._keep_s, may_shorten=not self._has_rollups)

    def _warn(self, message: str, detail: str) -> None:
        """Log it unless that was the last time too; without a detail it is over."""
        if detail.startswith("no answer") or "database not found" in detail:
            return  # the writer says so
        if detail == self._said.get(message, ""):
            return
        self._said[message] = detail
        if detail:
            logger.warning("%s: %s", message, detail)


@lru_cache(maxsize=65536)
def _series_key(series: str) -> str:
    """Return measurement and tags of a series."""
    sensor_id, type_ = series.split("/")
    return f"{READINGS},sensor_id={_tag(sensor_id)},type={_tag(type_)}"


def _tag(label: str) -> str:
    return label.translate(_TAG_ESCAPES)


def _request(request: Callable[[], object]) -> Result:
    try:
        request()
    except Exception as error:  # noqa: BLE001  it comes from outside
        return failure(error)
    return _STORED
