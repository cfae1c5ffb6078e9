"""Rules of FORMATS_FILE: what they can say, and how errors in them are told."""

from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from collector.formats.formats import Formats
from collector.formats.rule import Extract, Rule
from collector.formats.schema import RuleText
from collector.settings import Settings
from telemetry.decode import Unreadable, boundary
from telemetry.reading import Reading
from telemetry.settings import SettingError

HEAD = "[[rules]]\ntopic = 'a/{sensor}'\n"
# A rule, and what the error says about it.
BROKEN = {
    "[[rules]]\ntopic = 5": "rule 1 (5): topic=5: Expected `str`, got `int`",
    HEAD + "tipe = 'x'": "rule 1 (a/{sensor}): Object contains unknown field `tipe`",
    HEAD + HEAD.replace("topic", "tpoic"): "rule 2 (without a topic): Object contains unknown",
    HEAD + "[[rules]]\n": "rule 2 (without a topic): Object missing required field `topic`",
    HEAD + "payload = 'xml'": "payload='xml': Invalid enum value 'xml'",
    HEAD + "time = 'a['": "time='a[': expected a JMESPath expression: ",
    HEAD + "time = 'foo(a)'": "time='foo(a)': expected a JMESPath expression: Unknown function",
    HEAD + "values = {x = ''}": "values.x='': expected a JMESPath expression: ",
    HEAD + "values = {x = 'a'}\nskip = ['b']": "skip=['b']: expected only with `members`",
    HEAD + "values = {'{x}' = 'a'}": "values='{x}': expected a text with no other names than {sen",
    HEAD + "sensor = '{node}'": "sensor='{node}': expected a text with no other names than",
    HEAD + "sensor = ''": "sensor='': expected a text",
    HEAD + "type = 'temp'": "type='temp': expected {member} in it",
    HEAD + "payload = 'text'": "type='{type}': expected a text with no other names than {sensor}",
    HEAD + "payload = 'text'\ntype = 't'\ntime = 'a'": "time='a': expected only with payload",
    HEAD + "words = {ON = nan}": "words.ON=nan: expected a finite number",
    "[[rules]]\ntopic = 'a\\u0001/{sensor}'".replace("'", '"'): "expected at most 200 printable",
    f"[[rules]]\ntopic = '{'a' * 201}/{{sensor}}'": "expected at most 200 printable",
    HEAD + "words = {ON = 'x'}": "words={'ON': 'x'}: Expected `int | float`, got `str`",
    HEAD + "names = {sensor = 'a'}": "names='sensor': expected a new name of a to z and _",
    HEAD + "names = {Id = 'a'}": "names='Id': expected a new name of a to z and _",
    "[[rules]]\ntopic = '{member}/a/{sensor}'": "topic='{member}': expected another name",
    "[[rules]]\ntopic = 'a/b'": "sensor='{sensor}': expected a text with no other names than",
    "[[rules]]\ntopic = 'a/+'": "topic='a/+': expected levels such as tele, {sensor}",
    "[[rules]]\ntopic = '#'": "topic='#': expected levels such as tele",
    "[[rules]]\ntopic = 'a//{sensor}'": "topic='a//{sensor}': expected levels such as tele",
    "[[rules]]\ntopic = 'a/{Sensor}'": "topic='a/{Sensor}': expected levels such as tele",
    "[[rules]]\ntopic = 'a/{sensor...}/b'": "expected {name...} at the end only",
    "[[rules]]\ntopic = '{sensor}/a/{sensor}'": "expected each name once",
    "[[rules]]\ntopic = '{sensor...}'": "expected a fixed first or second level",
    "[[rules]]\ntopic = '{sensor}/{type}/temp'": "expected a fixed first or second level",
    "[[rules]]\ntopic = '{sensor}/{type}'": "expected a fixed first or second level",
    "[[rules]]\ntopic = '{a:s*}/{sensor...}'": "expected a fixed first or second level",
    "[[rules]]\ntopic = '$SYS/{sensor}'": "expected a topic of devices; $SYS/ is not theirs",
    "rules = 5": "rules=5: Expected `array`, got `int`",
    "rulse = []": "Object contains unknown field `rulse`",
    "[[rules]": "expected TOML: ",
}
OWN_TOPICS = (
    *("readings", "replay", "receipts", "accepted", "refused", "rejected", "status"),
    "devices",
)


def write(path: Path, text: str) -> str:
    file = path / "formats.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def rule(**keys: object) -> Rule:
    return Rule(msgspec.convert(keys, RuleText), ZoneInfo("UTC"))


def read(rule: Rule, topic: str, payload: bytes) -> Extract:
    names = rule.pattern.match(topic)
    assert names is not None
    return rule.read(names, payload)


def pairs(extract: Extract) -> list[tuple[object, str, float]]:
    return [(one.sensor_id, one.type, one.value) for one in extract.readings]


@pytest.mark.parametrize(("text", "said"), BROKEN.items())
def test_an_error_names_rule_key_and_value(tmp_path: Path, text: str, said: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(SettingError) as error:
        Formats.load("", file, "UTC")
    assert str(error.value).startswith(f"FORMATS_FILE={file!r}: ")
    assert said in str(error.value)


@pytest.mark.parametrize("first", OWN_TOPICS)
def test_a_topic_of_the_pipeline_is_refused(tmp_path: Path, first: str) -> None:
    file = write(tmp_path, f"[[rules]]\ntopic = '{first}/{{sensor}}'")
    with pytest.raises(SettingError, match=f"expected a topic of devices; {first}/ is not theirs"):
        Formats.load("", file, "UTC")


@pytest.mark.parametrize("first", OWN_TOPICS)
def test_a_first_level_that_may_be_anything_is_never_one_of_the_pipeline(first: str) -> None:
    pattern = rule(topic="{sensor}/status/{type}", payload="text").pattern
    assert pattern.match(f"{first}/status/x") is None
    assert pattern.match("kitchen/status/x") == {"sensor": "kitchen", "type": "x"}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="expected a readable file"):
        Formats.load("", str(tmp_path / "none"), "UTC")


def test_own_rules_are_taken_beside_the_names_in_formats_and_before_them(tmp_path: Path) -> None:
    text = "[[rules]]\ntopic = 'tele/{sensor}/SENSOR'\ntype = 'own_{member}'"
    payload = b'{"Time":"2026-01-31T12:00:00","a":1}'
    formats = Formats.load("tasmota", write(tmp_path, text), "UTC")
    assert pairs(formats.read("tele/x/SENSOR", payload)) == [("x", "own_a", 1)]
    assert pairs(formats.read("tele/x/STATE", b'{"POWER":"ON"}')) == [("x", "POWER", 1)]
    assert formats.subscriptions == ["tele/+/SENSOR", "tele/+/STATE"]
    alone = Formats.load("", write(tmp_path, text), "UTC")
    assert (alone.subscriptions, alone.takes_devices) == (["tele/+/SENSOR"], False)


def test_the_names_in_formats_choose() -> None:
    assert Formats.load("", "", "UTC").subscriptions == []
    assert not Formats.load(" , ", "", "UTC").takes_devices
    devices = Formats.load("devices", "", "UTC")
    assert (devices.takes_devices, devices.subscriptions) == (True, [])
    both = Formats.load(" tasmota , esphome", "", "UTC")
    assert both.subscriptions[0] == "+/sensor/+/state"
    everything = Formats.load("all,esphome", "", "UTC")
    assert everything.takes_devices
    assert {*both.subscriptions} < {*everything.subscriptions}


def test_an_unknown_name_is_told_with_those_that_are_known() -> None:
    with pytest.raises(SettingError) as error:
        Formats.load("tasmota,tasmoto", "", "UTC")
    assert "FORMATS='tasmota,tasmoto': unknown: tasmoto; expected" in str(error.value)
    assert "all, devices, esphome, " in str(error.value)


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "/etc/passwd", "../UTC", "Europe", "\0"])
def test_a_wrong_time_zone_is_told(zone: str) -> None:
    with pytest.raises(SettingError, match="expected the name of a time zone such as UTC"):
        Formats.load("all", "", zone)


def test_names_come_from_the_payload_too() -> None:
    radio = rule(
        topic="rtl_433/{host}/events",
        names={"model": "model", "id": "id"},
        sensor="{model}-{id}",
        skip=["model", "id"],
    )
    payload = b'{"model":"Acurite","id":12,"temperature_C":2.5}'
    found = pairs(read(radio, "rtl_433/attic/events", payload))
    assert found == [("Acurite-12", "temperature_C", 2.5)]
    for id_ in (b"", b',"id":null', b',"id":true', b',"id":[1]'):
        with pytest.raises(ValueError, match=r"names.id: expected a text or an integer at id, fou"):
            read(radio, "rtl_433/attic/events", b'{"model":"x"' + id_ + b"}")


def test_values_have_types_of_their_own() -> None:
    one = rule(topic="s/{sensor}/{type}", values={"{type}": "v", "{type}_raw": "raw[0]"})
    assert pairs(read(one, "s/x/temp", b'{"v":2.5,"raw":[7,8],"w":1}')) == [
        ("x", "temp", 2.5),
        ("x", "temp_raw", 7),
    ]
    assert read(one, "s/x/temp", b'{"v":"much"}') == ([], 1)
    assert read(one, "s/x/temp", b"{}") == ([], 0)


def test_texts_booleans_and_words_are_numbers_only_where_the_rule_says_so() -> None:
    payload = b'{"a":"2.5","b":true,"c":"ON","d":"1_0","e":"0x10","f":" 1"}'
    assert read(rule(topic="s/{sensor}"), "s/x", payload) == ([], 6)
    lenient = rule(topic="s/{sensor}", numeric_texts=True, booleans=True, words={"ON": 1})
    found = read(lenient, "s/x", payload)
    assert [value for _, _, value in pairs(found)] == [2.5, 1, 1]
    assert found.skipped == 3


@pytest.mark.parametrize("text", ["1e-400", "-1e-999", "+.1e-400", "0." + "0" * 330 + "1"])
def test_a_text_that_is_too_small_a_number_is_skipped_and_zero_is_not(text: str) -> None:
    lenient = rule(topic="s/{sensor}", numeric_texts=True)
    found = read(lenient, "s/x", b'{"a":"%b","b":"+0.0","c":"-0e5"}' % text.encode())
    assert [name for _, name, _ in pairs(found)] == ["b", "c"]
    assert found.skipped == 1


def test_a_reason_that_quotes_half_a_surrogate_pair_can_be_published(tmp_path: Path) -> None:
    formats = Formats.load("", write(tmp_path, HEAD + "time = 'floor(at)'"), "UTC")
    with pytest.raises(Unreadable) as caught:
        boundary(formats.read)("a/b", b'{"at":"\\ud800","t":1}')
    assert "\\ud800" in msgspec.json.encode(str(caught.value)).decode()


def test_what_home_assistant_is_shown_does_not_come_back() -> None:
    both = Settings(formats="all,homeassistant", home_assistant_prefix="ha")
    with pytest.raises(SettingError, match="in circles; expected one of the two"):
        Formats.of(both)
    assert Formats.of(Settings(home_assistant_prefix="ha")).takes_devices
    assert Formats.of(Settings(formats="homeassistant")).subscriptions


def test_a_file_that_is_none_or_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    for file in ("/dev/zero", str(tmp_path), write(tmp_path, "rules = " + "[" * 5000)):
        with pytest.raises(SettingError, match="FORMATS_FILE="):
            Formats.load("", file, "UTC")


def test_what_an_expression_has_multiplied_is_bounded(tmp_path: Path) -> None:
    bomb = "|".join(["{a:@,b:@,c:@,d:@,e:@,f:@}"] * 12)
    formats = Formats.load("", write(tmp_path, HEAD + f"members = '{bomb}'"), "UTC")
    with pytest.raises(ValueError, match="expected at most 5000 members"):
        formats.read("a/b", b'"t"')


def test_only_an_asterisk_is_special_in_names(tmp_path: Path) -> None:
    formats = Formats.load("", write(tmp_path, "\ufeff" + HEAD + "skip = ['data[0]', 'x?']"), "UTC")
    assert formats.read("a/b", b'{"data[0]":1,"x?":1,"xy":1,"data0":1}').readings == [
        Reading(type=type_, value=1, sensor_id="b") for type_ in ("xy", "data0")
    ]
