"""GET /history and /history.csv: what InfluxDB holds of a series."""

import csv
import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from collector.live.history import MAX_SERIES
from tests.builders import reading
from tests.integration.posting import STORED, client, problem, send
from tests.service import free_port
from tests.stack import Collector, Influx, Stack

S = 10**9
HOSTILE = [
    "' OR 'x'='x",
    "'; DROP DATABASE iot; --",
    '" OR "sensor_id" != "',
    "\\' OR 1=1 --",
    "sensor$",
    "=cmd|' ",
    "a,b=c d",
    "é 😀",
]
# What a spreadsheet would take for a formula.
IN_CSV = {"=cmd|' ": "'=cmd|' ", HOSTILE[1]: "'; DROP DATABASE iot;' --"}


def path(*series: str, span: str = "hour", kind: str = "") -> str:
    names = "".join(f"series={quote(name, safe='')}&" for name in series)
    return f"/history{kind}?{names}range={span}"


def table(text: str) -> list[list[str]]:
    """Return the rows of a CSV response without its heading."""
    heading, *rows = csv.reader(text.splitlines())
    assert heading == ["ts", "type", "value", "sensor_id"]
    return rows


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Influx, httpx.Client]]:
    """An InfluxDB without a database, and a client of a collector that reads from it."""
    directory = tmp_path_factory.mktemp("history")
    influx = Influx(directory / "influx")
    collector = Collector(directory, mqtt_port=1, influx_port=influx.port)
    with influx, collector, client(collector) as http:
        yield influx, http


def test_without_a_database_there_is_nothing_and_then_what_it_holds(
    alone: tuple[Influx, httpx.Client],
) -> None:
    influx, http = alone
    assert http.get(path("7/temp", "8/temp")).json() == {"7/temp": [], "8/temp": []}
    assert table(http.get(path("7/temp", kind=".csv")).text) == []
    influx.query("CREATE DATABASE iot")
    step = 12 * S
    start = (time.time_ns() - 600 * S) // step * step
    values = [1.0, 2.0, 6.0, -4.5]
    times = [start, start + S, start + 2 * S, start + step]
    influx.write(
        f"data,sensor_id=7,type=temp value={value} {ns}"
        for value, ns in zip(values, times, strict=True)
    )
    response = http.get(path("7/temp", "8/temp"))
    assert response.json() == {
        "7/temp": [[start // 10**6, 3.0, 1.0, 6.0], [(start + step) // 10**6, -4.5, -4.5, -4.5]],
        "8/temp": [],
    }
    assert response.headers["cache-control"] == "no-store"
    answer = http.get(path("7/temp", kind=".csv"))
    assert [row[1:] for row in table(answer.text)] == [["temp", str(v), "7"] for v in values]
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]


@pytest.mark.parametrize(("span", "policy"), [("day", "rollup_1m"), ("week", "rollup_1h")])
def test_before_what_is_kept_the_roll_ups_are_shown(
    alone: tuple[Influx, httpx.Client], span: str, policy: str
) -> None:
    influx, http = alone
    influx.query("CREATE DATABASE iot")
    now = time.time_ns() // (3600 * S) * 3600 * S
    series, tags = f"rolled/{span}", f"data,sensor_id=rolled,type={span}"
    influx.write(f"{tags} value=5 {now}")
    assert [row[1:] for row in http.get(path(series, span=span)).json()[series]] == [[5, 5, 5]]
    influx.query(f"CREATE RETENTION POLICY {policy} ON iot DURATION 52w REPLICATION 1")
    for hours in (0, 2):
        point = f"value=2,min=1,max=3,count=60i {now - hours * 3600 * S}"
        influx.write(f"{tags} {point}", policy=policy)
    rows = http.get(path(series, span=span)).json()[series]
    assert [row[1:] for row in rows] == [[2, 1, 3], [5, 5, 5]]


@pytest.mark.parametrize("large", [["1.7e308"] * 3, ["-1.7e308"] * 3])
@pytest.mark.parametrize("span", ["hour", "day"])
def test_where_a_mean_is_no_number_the_medians_are_shown(
    alone: tuple[Influx, httpx.Client], span: str, large: list[str]
) -> None:
    influx, http = alone
    type_ = f"{span}{large[0][0]}"
    influx.query("CREATE DATABASE iot")
    start = (time.time_ns() - 900 * S) // (300 * S) * 300 * S
    for sensor, values in (("large", [*large, "5"]), ("good", ["1", "2", "6"])):
        influx.write(
            f"data,sensor_id={sensor},type={type_} value={value} {start + n}"
            for n, value in enumerate(values)
        )
    with pytest.raises(json.JSONDecodeError):
        influx.query("SELECT mean(value) FROM data WHERE sensor_id = 'large' GROUP BY \"type\"")
    points = http.get(path(f"large/{type_}", f"good/{type_}", span=span)).json()
    ((at, *three),) = points[f"large/{type_}"]
    extreme = float(large[0])
    assert at == start // 10**6
    assert three == [extreme, *sorted((5, extreme))]
    ((_, *three),) = points[f"good/{type_}"]
    assert three == [3, 1, 6]


@pytest.mark.parametrize("span", ["minutes", "hour", "day", "week"])
def test_a_chart_has_some_hundred_points_and_a_table_all_readings(
    alone: tuple[Influx, httpx.Client], span: str
) -> None:
    influx, http = alone
    seconds = {"minutes": 900, "hour": 3600, "day": 86_400, "week": 604_800}[span]
    count = 12_000
    now = time.time_ns()
    gap = (seconds - 60) * S // count
    influx.query("CREATE DATABASE iot")
    influx.write(f"data,sensor_id={span},type=temp value={n} {now - n * gap}" for n in range(count))
    points = http.get(path(f"{span}/temp", span=span)).json()[f"{span}/temp"]
    assert 250 < len(points) < 350
    rows = table(http.get(path(f"{span}/temp", span=span, kind=".csv")).text)
    assert [float(row[2]) for row in rows] == list(range(count - 1, -1, -1))


def test_hostile_names_are_names(pipeline: Stack, http: httpx.Client) -> None:
    now = time.time_ns()
    for number, name in enumerate(HOSTILE):
        assert send(http, reading(name, now, number, name), path=STORED).status_code == 201
    for number, name in enumerate(HOSTILE):
        series = f"{name}/{name}"
        ((_, *three),) = http.get(path(series)).json()[series]
        assert three == [number] * 3
        ((_, type_, value, sensor_id),) = table(http.get(path(series, kind=".csv")).text)
        assert float(value) == number
        safe = IN_CSV.get(name, name)
        assert (type_, sensor_id) == (safe, safe)
    assert pipeline.influx.query("SHOW DATABASES")


@pytest.mark.parametrize(
    ("query", "status", "named"),
    [
        ("", 400, "series"),
        ("?range=day", 400, "series"),
        ("?" + "series=7/temp&" * (MAX_SERIES + 1) + "range=day", 400, str(MAX_SERIES + 1)),
        ("?series=7/temp&range=day&token=x", 400, "'token'"),
        ("?series=7/temp", 422, "range"),
        ("?series=7/temp&range=year", 422, "'year'"),
        ("?series=7&range=day", 422, "'7'"),
        ("?series=7/a/b&range=day", 422, "'7/a/b'"),
        ("?series=/temp&range=day", 422, "'/temp'"),
        ("?series=7/%0A&range=day", 422, "series"),
        ("?series=7/%23&range=day", 422, "'7/#'"),
        (f"?series=7/{'x' * 65}&range=day", 422, "64"),
    ],
)
def test_what_cannot_be_answered_is_named(
    http: httpx.Client, query: str, status: int, named: str
) -> None:
    for kind in ("", ".csv"):
        assert named in problem(http.get(f"/history{kind}{query}"), status)["detail"]


def test_an_influxdb_that_is_away_is_named(tmp_path: Path) -> None:
    port = free_port()
    with Collector(tmp_path, mqtt_port=1, influx_port=port) as one, client(one) as http:
        for kind in ("", ".csv"):
            response = http.get(path("7/temp", kind=kind))
            assert "connection refused" in problem(response, 503)["detail"]
            assert response.headers["retry-after"] == "5"


def test_no_page_of_another_site_reads_a_history(http: httpx.Client) -> None:
    for kind in ("", ".csv"):
        refused = http.get(path("7/temp", kind=kind), headers={"Host": "evil.example"})
        assert "evil.example" in problem(refused, 403)["detail"]
