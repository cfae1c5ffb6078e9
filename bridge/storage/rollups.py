"""Roll-ups: made by continuous queries, and once more for the hours that are due."""

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError
from influxdb.line_protocol import quote_ident

from bridge.keeping import FOREVER, Rollup, seconds
from bridge.storage.due import HOUR_NS, Due, Hour
from bridge.storage.policy_choice import PolicyChoice
from bridge.storage.retention import HORIZON, Policies, is_shorter

logger = logging.getLogger(__name__)

READINGS = "data"
"""The measurement of the readings, and of each roll-up."""
_NAME = re.compile(r"rollup_\d+[smh]")
_MEANS = (
    'mean("value") AS "value", min("value") AS "min", max("value") AS "max",'
    ' count("value") AS "count"'
)
# A continuous query may be at work when a reading comes late, and write its result after this has.
_SETTLE_NS = 60 * 10**9
_PREPARED_NS = 60 * 10**9
_TURN_NS = 60 * 10**9
_STEP_NS = 12 * 7 * 24 * HOUR_NS
_EXISTS = "already exists"


class Rollups:
    """The roll-ups of a database, finest first; methods raise what InfluxDBClient does."""

    def __init__(
        self,
        client: InfluxDBClient,
        database: str,
        rollups: Sequence[Rollup],
        clock: Callable[[], int] = time.time_ns,
        *,
        copies: int = 1,
    ) -> None:
        self._client = client
        self._database = database
        self._rollups = rollups
        self._clock = clock
        self._policies = Policies(client, database, copies)
        self._choice = PolicyChoice(client, database)
        self._due = Due(client, database)
        self._prepared_at = 0
        self._is_marked = False  # all hours, for what then failed, so that once is enough
        self._has_marked = False
        self.may_shorten_since: int | None = None
        """When (ns) the last `look` found that a shorter RETENTION deletes nothing that is due."""

    def turn(self) -> None:
        """Do what is to be done now, for about a minute."""
        self._has_marked, self.may_shorten_since = False, None
        if self._clock() - self._prepared_at >= _PREPARED_NS:
            self._prepare()
            self._prepared_at = self._clock()
            self._has_marked = True
        if self._rollups:
            self._roll_all()

    def look(self, keep_s: int) -> None:
        """See whether readings may be kept for `keep_s` only, once a turn has marked all hours."""
        if self._has_marked:
            self.may_shorten_since = self._policies.shortened_since(keep_s, self._due)

    def _prepare(self) -> None:
        """Make what the settings ask for; take back continuous queries that they do not."""
        raw = self._policies.default()
        wanted = {rollup.name for rollup in self._rollups}
        held = set(self._queries())
        for name in held - wanted:
            self._drop(name)
            logger.info("%s is not continued; its data stay in the policy of that name", name)
        if not self._is_marked and not (wanted <= held and self._are_kept()):
            self._mark_all(seconds(raw["duration"]))  # before: a roll-up that is there is complete
            self._is_marked = True
        for rollup in self._rollups:
            self._policies.make(rollup.name, rollup.keep_s)
            self._continue(rollup, raw["name"])
        self._is_marked = False
        self._choice.write(raw["name"], self._rollups, self._clock())

    def _are_kept(self) -> bool:
        """Return whether each roll-up has been kept for as long as is asked now."""
        kept = self._policies.kept()
        return all(
            one.name in kept and not is_shorter(kept[one.name], one.keep_s) for one in self._rollups
        )

    def _roll_all(self) -> None:
        """Roll up the hours that are due; rest as long as that takes."""
        raw = self._policies.default()
        kept_ns = seconds(raw["duration"]) * 10**9
        ends_at = self._clock() + _TURN_NS
        horizon = self._horizon()
        failure: InfluxDBClientError | None = None
        for hour in self._due.hours(self._clock() - kept_ns if kept_ns else 0):
            began = self._clock()
            if began > ends_at:
                break
            if hour.due + _SETTLE_NS > began:
                continue
            try:
                if hour.start >= horizon:
                    self._roll(hour, raw["name"])
                self._due.settle(hour)
            except InfluxDBClientError as error:  # of this hour; it does not hold up the others
                failure = error
            time.sleep(max(0, self._clock() - began) / 10**9)
        if failure:
            raise failure

    def _roll(self, hour: Hour, raw: str) -> None:
        for rollup in self._rollups:
            # Points beyond a roll-up's retention would end the query; a minute is for its duration.
            kept_since = self._clock() - rollup.keep_s * 10**9 + 60 * 10**9
            if rollup.keep_s == FOREVER or hour.start > kept_since:
                span = f"time >= {hour.start} AND time < {hour.start + HOUR_NS}"
                self._query(self._select(rollup, raw, f" WHERE {span}"))

    def _continue(self, rollup: Rollup, raw: str) -> None:
        """Make the continuous query; replace one of another form."""
        # Once more an interval later, for what was on its way when the interval ended.
        resample = f"RESAMPLE FOR {2 * rollup.interval_s}s"
        create = (
            f"CREATE CONTINUOUS QUERY {quote_ident(rollup.name)} ON {quote_ident(self._database)}"
            f" {resample} BEGIN {self._select(rollup, raw)} END"
        )
        try:
            self._query(create)
        except InfluxDBClientError as error:
            if _EXISTS not in str(error):
                raise
            self._drop(rollup.name)
            self._query(create)

    def _select(self, rollup: Rollup, raw: str, where: str = "") -> str:
        return (
            f"SELECT {_MEANS} INTO {self._measurement(rollup.name)}"  # noqa: S608  quoted
            f" FROM {self._measurement(raw)}"
            f"{where} GROUP BY time({rollup.interval}), * fill(none)"
        )

    def _measurement(self, policy: str) -> str:
        return ".".join(map(quote_ident, (self._database, policy, READINGS)))

    def _queries(self) -> Iterator[str]:
        """Yield the names of the continuous queries of roll-ups."""
        for databases in self._client.get_list_continuous_queries():
            for query in databases.get(self._database, ()):
                if _NAME.fullmatch(query["name"]):
                    yield query["name"]

    def _drop(self, name: str) -> None:
        self._query(f"DROP CONTINUOUS QUERY {quote_ident(name)} ON {quote_ident(self._database)}")

    def _mark_all(self, kept_s: int) -> None:
        """Let all hours with raw readings be due."""
        now = self._clock()
        count = 0
        first = self._one(f"SELECT first(value) FROM {READINGS}", "time")  # noqa: S608
        start = now if first is None else first
        start = max(start, now - kept_s * 10**9 + HOUR_NS) if kept_s else start
        start -= start % HOUR_NS
        while start < now:
            end = start + _STEP_NS
            counts = self._query(
                f"SELECT count(value) FROM {READINGS} WHERE time >= {start} AND time < {end}"  # noqa: S608
                " GROUP BY time(1h) fill(none)"
            )
            starts = [point["time"] for point in counts]
            self._due.mark(starts, now - _SETTLE_NS)
            count += len(starts)
            start = end
        logger.info("hours with readings, rolled up in the background: %d", count)

    def _horizon(self) -> int:
        return self._one(f"SELECT max(since) AS since FROM {HORIZON}", "since") or 0  # noqa: S608

    def _one(self, select: str, column: str) -> int | None:
        return next((point[column] for point in self._query(select)), None)

    def _query(self, statement: str) -> list[dict[str, Any]]:
        result = self._client.query(statement, method="POST", epoch="ns")
        return list(result.get_points())
