"""from/NAME/...: what an identity may send, and what devices/ may not smuggle."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.access.identities import Identities
from collector.access.identity import Identity
from collector.access.rates import RateLimit
from collector.access.series import SeriesLimit
from collector.devices.intake import DeviceIntake
from collector.devices.payload import Taken
from collector.devices.senders import Senders
from collector.intake.labels import Labels
from tests.identities import OPEN, Known
from tests.unit.devices.rig import MAX_SERIES, Rig, run

KNOWN = Known(Identity("hall", ["kitchen", "7"]), Identity("gateway", ["*"]))


def body(*sensors: int | str) -> bytes:
    readings = [{"type": "t", "value": 1, "sensor_id": sensor} for sensor in sensors]
    return json.dumps({"ref": 5, "readings": readings}).encode()


def outcome(
    directory: Path,
    topic: str,
    payload: bytes,
    identities: Identities = KNOWN,
    kind: type[DeviceIntake] = DeviceIntake,
) -> tuple[list[str], dict[str, bytes], int]:
    """Return the series committed, what was published, and how many messages were refused."""
    committed: list[str] = []
    published: dict[str, bytes] = {}
    refused: list[int] = []

    async def scenario(rig: Rig) -> None:
        rig.client.offer(topic, payload)
        await rig.idle()
        committed.extend(series for series, _ in rig.committed)
        published.update({topic: sent for topic, sent in rig.events if topic != "ack"})
        refused.append(rig.intake.counters["mqtt_refused"])
        rig.client.puback(99)
        assert ("ack", payload) in rig.events

    run(directory, scenario, kind, identities=identities)
    return committed, published, refused[0]


@pytest.mark.parametrize(
    ("topic", "payload", "series", "answer"),
    [
        ("from/hall/devices/kitchen/t", b'{"value":1,"ref":5}', ["kitchen/t"], "hall/{}/kitchen"),
        ("from/hall/devices/kitchen", b'{"t":1,"ref":5}', ["kitchen/t"], "hall/{}/kitchen"),
        ("from/hall/devices/7/t", b'{"value":1,"ref":5}', ["7/t"], "hall/{}/7"),
        ("from/hall/devices/any", body("kitchen", 7), ["kitchen/t", "7/t"], "hall/{}/any"),
        ("from/gateway/devices/g", body("a", "b"), ["a/t", "b/t"], "gateway/{}/g"),
    ],
)
def test_an_identity_sends_for_its_sensors(
    tmp_path: Path, topic: str, payload: bytes, series: list[str], answer: str
) -> None:
    committed, published, refused = outcome(tmp_path, topic, payload)
    assert (committed, refused) == (series, 0)
    count = len(series)
    assert published == {f"to/{answer.format('accepted')}": b'{"ref":5,"count":%d}' % count}


def test_a_family_is_taken_from_an_identity(tmp_path: Path) -> None:
    topic = "from/gateway/tele/plug/SENSOR"
    payload = b'{"Time":"2026-01-31T12:00:00","AM2301":{"Temperature":21.5}}'
    committed, _, refused = outcome(tmp_path, topic, payload)
    assert len(committed) == 1
    assert not refused


def test_a_family_is_refused_for_a_sensor_that_is_not_the_senders(tmp_path: Path) -> None:
    topic = "from/hall/tele/plug/SENSOR"
    payload = b'{"Time":"2026-01-31T12:00:00","AM2301":{"Temperature":21.5}}'
    committed, published, refused = outcome(tmp_path, topic, payload)
    assert (committed, refused) == ([], 1)
    (letter,) = published.values()
    assert json.loads(letter)["topic"] == topic


def test_what_a_family_sends_beside_its_readings_is_passed_over(tmp_path: Path) -> None:
    assert outcome(tmp_path, "from/hall/tele/plug/LWT", b"Online") == ([], {}, 0)


class Trusting(Senders):
    """Believes what a payload names."""

    def check(self, sender: Identity | None, taken: Taken, *, is_limited: bool) -> None:
        """Accept all."""


class Believes(DeviceIntake):
    """The intake without the check."""

    def __init__(self, *options: object) -> None:
        super().__init__(*options)  # type: ignore[arg-type]
        self._senders = Trusting(
            KNOWN, SeriesLimit(MAX_SERIES, set()), RateLimit(0), Labels("mosquitto")
        )


SMUGGLED = [
    ("from/hall/devices/garage/t", b'{"value":1,"ref":5}', "to/hall/refused/garage"),
    ("from/hall/devices/kitchen", body("kitchen", "garage"), "to/hall/refused/kitchen"),
    ("devices/kitchen", body("kitchen", "garage"), "refused/kitchen"),
    ("devices/kitchen", body("garage"), "refused/kitchen"),
]


@pytest.mark.parametrize(("topic", "payload", "answer"), SMUGGLED)
def test_of_a_message_with_a_foreign_sensor_nothing_is_taken(
    tmp_path: Path, topic: str, payload: bytes, answer: str
) -> None:
    committed, published, refused = outcome(tmp_path, topic, payload)
    assert (committed, refused) == ([], 1)
    told = json.loads(published[answer])
    (error,) = told["errors"]
    assert (told["ref"], error["field"], error["value"]) == (5, "sensor_id", '"garage"')
    letters = [sent for topic, sent in published.items() if topic.startswith("rejected/")]
    assert b'sensor_id \\"garage\\" ' in letters[0]


@pytest.mark.parametrize(("topic", "payload", "answer"), SMUGGLED)
def test_control_without_the_check_it_is_taken(
    tmp_path: Path, topic: str, payload: bytes, answer: str
) -> None:
    committed, published, refused = outcome(tmp_path, topic, payload, kind=Believes)
    assert "garage/t" in committed
    assert not refused
    assert answer not in published


def test_the_refusal_says_where_several_sensors_may_be_sent(tmp_path: Path) -> None:
    _, published, _ = outcome(tmp_path, "devices/kitchen", body("garage", 7))
    first, second = json.loads(published["refused/kitchen"])["errors"]
    assert first["detail"] == (
        "must be the topic's, kitchen: readings of several sensors go to"
        " from/<name>/devices/kitchen, with the name of an identity"
    )
    assert (second["index"], second["value"]) == (1, "7")


def test_readings_of_the_topics_sensor_are_taken_from_whoever_may_write_there(
    tmp_path: Path,
) -> None:
    for number, payload in enumerate(
        [body(7), b'{"t":1}', b'[{"type":"t","value":1,"sensor_id":"7"}]']
    ):
        committed, _, refused = outcome(tmp_path / str(number), "devices/7", payload)
        assert (committed, refused) == (["7/t"], 0)


def test_while_no_identity_exists_a_message_holds_any_sensors(tmp_path: Path) -> None:
    committed, published, _ = outcome(tmp_path, "devices/gateway", body("a", 7), OPEN)
    assert committed == ["a/t", "7/t"]
    assert list(published) == ["accepted/gateway"]


@pytest.mark.parametrize(
    "topic",
    [
        "from/nobody/devices/kitchen/t",
        "from//devices/kitchen/t",
        "from/" + "x" * 60_000 + "/devices/kitchen/t",
        "from/hall",
        "from/",
        "from/hall/",
        "from/hall/from/gateway/devices/kitchen/t",
        "from/hall/to/gateway/accepted/kitchen",
        "from/hall/readings/kitchen/t",
        "from/hall/accepted/kitchen",
    ],
)
@pytest.mark.parametrize("identities", [KNOWN, OPEN])
def test_any_other_topic_below_from_is_refused_without_an_answer(
    tmp_path: Path, topic: str, identities: Identities
) -> None:
    committed, published, refused = outcome(tmp_path, topic, b'{"value":1,"ref":5}', identities)
    assert (committed, refused) == ([], 1)
    assert [topic for topic in published if not topic.startswith("rejected/")] == []


LEVEL = st.sampled_from(["from", "to", "hall", "gateway", "devices", "kitchen", "garage", "", "t"])
SENSOR = st.sampled_from(["kitchen", "garage", 7, "7", "kitchen/t", "to/x", "+", "#"])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(levels=st.lists(LEVEL, max_size=5), sensors=st.lists(SENSOR, max_size=3))
def test_whatever_hall_sends_only_its_sensors_are_taken_and_only_it_is_answered(
    tmp_path_factory: pytest.TempPathFactory, levels: list[str], sensors: list[int | str]
) -> None:
    topic = "/".join(["from", "hall", *levels])
    committed, published, _ = outcome(tmp_path_factory.mktemp("any"), topic, body(*sensors))
    assert {series.partition("/")[0] for series in committed} <= {"kitchen", "7"}
    for answer in published:
        assert answer.startswith(("to/hall/accepted/", "to/hall/refused/", "rejected/"))


@pytest.mark.parametrize(
    ("topic", "identities"),
    [
        ("from/gateway/devices/a", KNOWN),
        ("devices/a", KNOWN),
        ("devices/a", OPEN),
    ],
)
def test_a_sender_begins_no_more_series_than_it_may(
    tmp_path: Path, topic: str, identities: Identities
) -> None:
    fits = {f"t{number}": 1 for number in range(MAX_SERIES)}
    committed, _, refused = outcome(tmp_path / "fits", topic, json.dumps(fits).encode(), identities)
    assert (len(committed), refused) == (MAX_SERIES, 0)
    more = json.dumps({**fits, "one": 1, "ref": 5}).encode()
    committed, published, refused = outcome(tmp_path / "more", topic, more, identities)
    assert (committed, refused) == ([], 1)
    assert any(b"would be a new series" in sent for sent in published.values())


def test_a_label_that_the_broker_cannot_carry_is_refused(tmp_path: Path) -> None:
    """Others are taken; without the rule, so is this one."""

    async def scenario(rig: Rig) -> None:
        for broker in ("nats", "mosquitto"):
            series = SeriesLimit(MAX_SERIES, set())
            labels = Labels(broker)
            rig.intake._senders = Senders(OPEN, series, RateLimit(0), labels)  # noqa: SLF001
            rig.client.offer("devices/k", b'{"a":1,"a b":2,"ref":7}')
            rig.client.offer("devices/k", b'{"a":3,"ref":8}')
            await rig.idle()
            rig.client.puback(99)
        answers = [(topic, json.loads(sent)) for topic, sent in rig.events if topic != "ack"]
        (refused,) = (answer for topic, answer in answers if topic == "refused/k")
        (fault,) = refused["errors"]
        assert (refused["ref"], fault["field"], fault["value"]) == (7, "type", "a b")
        assert [a["ref"] for topic, a in answers if topic == "accepted/k"] == [8, 7, 8]
        assert [name for name, _ in rig.committed] == ["k/a", "k/a", "k/a b", "k/a"]

    run(tmp_path, scenario)
