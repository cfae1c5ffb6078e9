"""How long InfluxDB keeps points: its retention policies and the duration of their shards."""

import logging
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

from influxdb import InfluxDBClient
from influxdb.line_protocol import quote_ident

from bridge.keeping import FOREVER, UNTOUCHED, seconds
from bridge.storage.due import HOUR_NS, Due, Hour

logger = logging.getLogger(__name__)

# Since when the raw readings are complete, after RETENTION was lengthened. What is older has been
# deleted at least in part, though InfluxDB takes readings of that time again.
HORIZON = "rollup_horizon"
_DAY_S = 86400
# Each shard costs memory and open files. With InfluxDB's default of a week, readings with `ts` in
# some hundred weeks are more than it can open; in twelve weeks, all since 1970 are 250 shards.
_DEFAULT_SHARD = "168h0m0s"
_LONG_SHARD = "12w"
# A shard is deleted as a whole. Of whole days, so that an hour never lies in two.
_SHARDS = 30
_SAY_EVERY_S = 3600
# Other bridges mark hours by their own clocks, and some of a minute ago.
_CLOCKS_NS = 300 * 10**9


def is_shorter(keep_s: int, kept_s: int) -> bool:
    """Return whether points go sooner if they are kept for `keep_s` instead of `kept_s`."""
    return keep_s != FOREVER and (kept_s == FOREVER or keep_s < kept_s)


class Policies:
    """The retention policies of a database; methods raise what InfluxDBClient does.

    In a cluster, what they keep is on so many nodes as `copies` says; 1 is whatever is set there.
    """

    def __init__(self, client: InfluxDBClient, database: str, copies: int = 1) -> None:
        self._client = client
        self._copies = copies
        self._database = database
        self._said_at = -math.inf

    def default(self) -> Mapping[str, Any]:
        """Return the default policy, as InfluxDB shows it."""
        return next(policy for policy in self._all() if policy["default"])

    def create_database(self) -> None:
        """Create the database, unless it exists."""
        copies = f" WITH REPLICATION {self._copies}" if self._copies > 1 else ""
        self._query(f"CREATE DATABASE {quote_ident(self._database)}{copies}")

    def copy_raw(self) -> None:
        """Have as many copies of what is in the default policy, from its next shard on."""
        policy = self.default()
        if self._copies > 1 and policy["replicaN"] != self._copies:
            self._query(f"{self._statement('ALTER', policy['name'])} REPLICATION {self._copies}")
            logger.info("from its next shard on, InfluxDB keeps %d copies", self._copies)

    def keep_raw(self, keep_s: int | None, *, may_shorten: bool) -> None:
        """Keep what is in the default policy for `keep_s`, or leave that as it is."""
        policy = self.default()
        kept_s = seconds(policy["duration"])
        if keep_s in (UNTOUCHED, kept_s):
            if kept_s == FOREVER and policy["shardGroupDuration"] == _DEFAULT_SHARD:
                self._set("ALTER", policy["name"], FOREVER, FOREVER)
        elif not is_shorter(keep_s, kept_s):
            self._note_horizon(time.time_ns() - kept_s * 10**9)
            self._set("ALTER", policy["name"], keep_s, kept_s)
        elif may_shorten:
            self._set("ALTER", policy["name"], keep_s, kept_s)

    def shortened_since(self, keep_s: int, due: Due) -> int | None:
        """Return the time (ns) if `keep_s` is shorter, and what that deletes is rolled up by now.

        This reads the markers of all that time.
        """
        now = time.time_ns()
        if not is_shorter(keep_s, seconds(self.default()["duration"])):
            return None
        if number := sum(1 for _ in self._deleted(keep_s, due)):
            self._say_waiting(keep_s // _DAY_S, number)
        return None if number else now

    def shorten_raw(self, keep_s: int, due: Due, since: int) -> None:
        """Keep the default policy for `keep_s` only, if that deletes no hour marked since then."""
        if not any(self._deleted(keep_s, due, since - _CLOCKS_NS)):
            self.keep_raw(keep_s, may_shorten=True)

    def _deleted(self, keep_s: int, due: Due, marked_since: int = 0) -> Iterator[Hour]:
        """Yield the hours to be rolled up that are deleted once points are kept for `keep_s`."""
        kept_s = seconds(self.default()["duration"])
        now = time.time_ns()
        since = now - kept_s * 10**9 if kept_s else 0
        return due.hours(since, now - keep_s * 10**9 + HOUR_NS, marked_since=marked_since)

    def kept(self) -> dict[str, int]:
        """Return how long each policy keeps points (s), by its name."""
        return {policy["name"]: seconds(policy["duration"]) for policy in self._all()}

    def make(self, name: str, keep_s: int) -> None:
        """Make a policy, or change how long it keeps points."""
        held = self.kept()
        if name not in held:
            self._set("CREATE", name, keep_s, keep_s)
        elif held[name] != keep_s:
            self._set("ALTER", name, keep_s, held[name])

    def _all(self) -> list[dict[str, Any]]:
        return list(self._client.get_list_retention_policies(self._database))

    def _set(self, verb: str, name: str, keep_s: int, kept_s: int) -> None:
        shard = f"{max(1, keep_s // _DAY_S // _SHARDS)}d" if keep_s else _LONG_SHARD
        replication = f" REPLICATION {self._copies}" if verb == "CREATE" else ""
        self._query(
            f"{self._statement(verb, name)}"
            f" DURATION {f'{keep_s}s' if keep_s else 'INF'}{replication} SHARD DURATION {shard}"
        )
        if is_shorter(keep_s, kept_s):
            days = keep_s // _DAY_S
            logger.warning("InfluxDB deletes what is older than %d days in %s", days, name)
        elif keep_s != kept_s:
            logger.info("InfluxDB keeps %s for longer", name)

    def _statement(self, verb: str, name: str) -> str:
        return f"{verb} RETENTION POLICY {quote_ident(name)} ON {quote_ident(self._database)}"

    def _query(self, statement: str) -> None:
        self._client.query(statement, method="POST")

    def _say_waiting(self, days: int, number: int) -> None:
        if time.monotonic() - self._said_at >= _SAY_EVERY_S:
            self._said_at = time.monotonic()
            logger.warning(
                "RETENTION of %d days waits: %d hours that it deletes are still to be rolled up",
                days,
                number,
            )

    def _note_horizon(self, ns: int) -> None:
        lines = [f"{HORIZON} since={ns}i {time.time_ns()}"]
        self._client.write(lines, {"db": self._database}, protocol="line")
