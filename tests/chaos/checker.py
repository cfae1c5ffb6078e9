"""Compares the ledger of responses with InfluxDB and with the collector's books."""

import base64
import http.client
import json
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.chaos.books import Books
from tests.chaos.ledger import Key, Ledger, PostOutcome, Series


class Point(NamedTuple):
    key: Key
    time_ns: int
    value: float

    def __str__(self) -> str:
        return f"{self.key} at {self.time_ns} = {self.value!r}"


QUERY = 'SELECT "value" FROM "data" GROUP BY "sensor_id", "type"'
CHUNK_SIZE = 10_000
QUERY_TIMEOUT_S = 120
EXAMPLES = 5
VIOLATIONS = (
    "lost",
    "unexpected",
    "refused but stored",
    "corrupted",
    "books",
    "still pending",
    "service failed",
    "unmet",
)


@dataclass
class Findings:
    """The violations by kind, with the first EXAMPLES of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    readings: Counter[PostOutcome] = field(default_factory=Counter)
    points: int = 0
    books: Books | None = None
    figures: str = ""
    """What a scenario measured."""

    def add(self, violation: str, example: str) -> None:
        self.counts[violation] += 1
        kept = self.examples.setdefault(violation, [])
        if len(kept) < EXAMPLES:
            kept.append(example)

    @property
    def clean(self) -> bool:
        return not self.counts.total()

    def __str__(self) -> str:
        readings = ", ".join(
            f"{self.readings[o]:,} {o.name.lower()}" for o in reversed(PostOutcome)
        )
        found = ", ".join(f"{violation} {self.counts[violation]:,}" for violation in VIOLATIONS)
        lines = [
            f"readings: {readings}",
            f"points:   {self.points:,}",
            f"books:    {self.books or 'not checked'}",
            f"found:    {found}",
            *([f"figures:  {self.figures}"] if self.figures else []),
            *(
                f"  {violation}: {example}"
                for violation in VIOLATIONS
                for example in self.examples.get(violation, [])
            ),
            f"result:   {'CLEAN' if self.clean else 'VIOLATED'}",
        ]
        return "\n".join(lines)


def check(
    ledger: Ledger, *, influx_port: int, books: Books | None = None, account: str = ""
) -> Findings:
    """Compare the ledger with the points of the database `iot`, and with the books if given.

    `account` is `user:password`, if InfluxDB asks for one.

    Nothing may be pending: an acknowledged reading that is not in InfluxDB now counts as lost.
    """
    findings = Findings(readings=ledger.count(), books=books)
    seen = {key: bytearray(len(series.times)) for key, series in ledger.series.items()}
    for point in points(influx_port, account=account):
        if point.key not in ledger.ignored:
            _check_point(findings, ledger, seen, point)
    for key, series in ledger.series.items():
        if key not in ledger.rejected:
            _check_missing(findings, series, seen[key])
    if books:
        _check_books(findings, ledger, books)
    return findings


def _check_point(
    findings: Findings, ledger: Ledger, seen: dict[Key, bytearray], point: Point
) -> None:
    findings.points += 1
    series = ledger.series.get(point.key)
    ordinal = series.find(point.time_ns) if series else None
    if series is None or ordinal is None:
        findings.add("unexpected", f"{point}")
        return
    seen[point.key][ordinal] = 1
    if point.value != series.values[ordinal]:
        findings.add("corrupted", f"{point}, not {series.values[ordinal]!r}")
    outcome = PostOutcome(series.outcomes[ordinal])
    if outcome == PostOutcome.OPEN:
        findings.add("unexpected", f"{point} was never sent")
    if outcome == PostOutcome.REFUSED:
        findings.add("refused but stored", f"{point}")


def _check_missing(findings: Findings, series: Series, seen: bytearray) -> None:
    for ordinal, stored in enumerate(seen):
        if not stored and series.outcomes[ordinal] == PostOutcome.ACKNOWLEDGED:
            point = Point(series.key, series.times[ordinal], series.values[ordinal])
            findings.add("lost", f"{point}")


def _check_books(findings: Findings, ledger: Ledger, books: Books) -> None:
    if books.accepted != books.stored + books.rejected + books.pending:
        findings.add("books", f"do not balance: {books}")
    least = ledger.posts[PostOutcome.ACKNOWLEDGED]
    # What the collector had committed when its connection broke comes again from the broker. That
    # happens to few messages, so all of them together do not come twice.
    again = ledger.posts_by_mqtt.total()
    most = least + ledger.posts[PostOutcome.UNKNOWN] + again
    if not least <= books.accepted <= most:
        findings.add("books", f"accepted {books.accepted}, expected {least} to {most}")
    rejected = sum(
        outcome == PostOutcome.ACKNOWLEDGED
        for key in ledger.rejected
        for outcome in ledger.series[key].outcomes
    )
    if not rejected <= books.rejected <= rejected + ledger.posts[PostOutcome.UNKNOWN]:
        findings.add("books", f"rejected {books.rejected}, expected {rejected}")


def points(port: int, query: str = QUERY, account: str = "") -> Iterator[Point]:
    """Stream the points that the query selects. RuntimeError with InfluxDB's reason."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=QUERY_TIMEOUT_S)
    parameters = {"db": "iot", "epoch": "ns", "chunked": "true", "chunk_size": CHUNK_SIZE}
    try:
        basic = base64.b64encode(account.encode()).decode()
        headers = {"Authorization": f"Basic {basic}"} if account else {}
        path = f"/query?{urllib.parse.urlencode({**parameters, 'q': query})}"
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        # One JSON document per line; any of them may hold an error, even after a 200.
        for line in iter(response.readline, b""):
            yield from _points_of(json.loads(line))
    finally:
        connection.close()


def _points_of(document: dict[str, object]) -> Iterator[Point]:
    if "error" in document:
        raise RuntimeError(document["error"])
    results = document["results"]
    assert isinstance(results, list)
    for result in results:
        if "error" in result:
            raise RuntimeError(result["error"])
        for series in result.get("series", ()):
            key = (series["tags"]["sensor_id"], series["tags"]["type"])
            for time_ns, value in series["values"]:
                # InfluxDB prints a float without a fraction as an integer.
                yield Point(key, time_ns, float(value))
