"""What brokers cannot carry: refused with the reason, on every path."""

import string

import pytest

from bridge.settings import Settings
from collector.intake.errors import InvalidReadings
from collector.intake.labels import Labels
from collector.outbox.row import Draft
from telemetry.brokers import BROKERS, topic_fault
from telemetry.settings import SettingError, load

# Tried on the real brokers by tests/brokers.
CARRIED = [
    *(c for c in string.printable if c.isprintable() and c not in "/+#$\\ "),
    *("a$b", "a\\b", "é", "°", "温度", "🌡", "e\u0301", "x" * 64, "🌡" * 64),
    *("*", ">", "**", "a*b", "a>", ".", "a.b"),
]
NOT_CARRIED = {
    "mosquitto": [],
    "nats": [" ", "a b", " a", "a ", "*", ">"],
    "rabbitmq": [".", "a.b", "*", "a*b", "**", "\u0301a", "\u0e33", "\uff9e", "🏻"],
}
NOT_CARRIED["all"] = sorted({label for labels in NOT_CARRIED.values() for label in labels})


@pytest.mark.parametrize("broker", BROKERS)
def test_a_label_that_a_broker_cannot_carry_is_refused(broker: str) -> None:
    labels = Labels(broker)
    for label in {*CARRIED, *NOT_CARRIED["all"]}:
        for field, series in (("sensor_id", f"{label}/t"), ("type", f"7/{label}")):
            drafts = [Draft("7/t", 0, b""), Draft(series, 0, b"")]
            if label not in NOT_CARRIED[broker]:
                labels.check(drafts)
                assert topic_fault(broker, f"readings/{series}") is None
                continue
            with pytest.raises(InvalidReadings, match=f"index 1: {field} ") as refused:
                labels.check(drafts)
            (fault,) = refused.value.faults
            assert (fault["field"], fault["value"]) == (field, label)
            assert topic_fault(broker, f"readings/{series}")


def test_a_bridge_whose_name_the_broker_cannot_carry_does_not_start() -> None:
    named = {"BRIDGE_ID": "my.host"}
    assert load(Settings, named).bridge_id == "my.host"
    with pytest.raises(SettingError, match="BRIDGE_ID="):
        load(Settings, {**named, "MQTT_BROKER": "rabbitmq"})


def test_an_unknown_broker_is_a_wrong_setting() -> None:
    with pytest.raises(SettingError, match="MQTT_BROKER='emqx': expected a kind of broker"):
        load(Settings, {"MQTT_BROKER": "emqx"})
