"""Settings of `make run`: values and names, checked before anything starts."""

import pytest

from run.settings import check
from run.workspace import WorkspaceError


def test_settings_that_are_fine_are_passed_without_a_word() -> None:
    environ = {
        "COLLECTOR_PORT": "1", "RUN_DIR": "/x", "BATCH_MAX": "1", "SIMULATOR_OPTIONS": "--rate 2",
        "PATH": "/bin", "LANG": "C", "INFLUX_TOKEN": "x", "MQTT_CLIENT": "y", "PORT": "80",
        "MAKEFLAGS": "w --jobserver-auth=3,4 -- COLLECTOR_PORT=1 ARGS=--x\\ y PYTHON=python3",
    }  # fmt: skip
    assert check(environ) == []


@pytest.mark.parametrize("name", ["COLECTOR_PORT", "INFLUXPORT", "OUTBOX_MAX_BYTE", "batch_max"])
def test_a_name_near_a_setting_is_said(name: str) -> None:
    (note,) = check({name: "1"})
    assert note.startswith(f"{name} is not a setting: did you mean ")


@pytest.mark.parametrize("name", ["COLECTOR_PORT", "SOMETHING"])
def test_an_unknown_name_behind_make_run_is_an_error(name: str) -> None:
    with pytest.raises(WorkspaceError, match=f"^{name} is not a setting"):
        check({name: "1", "MAKEFLAGS": f" -- {name}=1"})


def test_quotation_marks_and_spaces_in_values_hide_no_name() -> None:
    flags = "w -- FOO=1 SIMULATOR_OPTIONS=--quiet INFLUX_DATABASE=c'd GRAFANA_PASSWORD=a\\ \"b"
    with pytest.raises(WorkspaceError, match=r"^FOO is not a setting"):
        check({"MAKEFLAGS": flags})
    assert check({"MAKEFLAGS": flags.replace("FOO=1 ", "")}) == []


@pytest.mark.parametrize(
    "name", ["MQTT_HOST", "INFLUX_HOST", "OUTBOX_PATH", "INFLUX_AUTH", "TLS_DIR"]
)
def test_a_name_without_effect_is_said(name: str) -> None:
    (note,) = check({name: ""})
    assert note.startswith(f"{name} has no effect on make run: ")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("STORED_TIMEOUT_S", "100", "expected a number of seconds above 0 and up to 60"),
        ("BRIDGE_ID", "a/b", "expected a name of up to 100 characters without / + # $ and"),
        ("SIMULATOR_OPTIONS", "--rate fast", "argument --rate: 'fast': expected a number from"),
        ("SIMULATOR_OPTIONS", "'", "No closing quotation"),
        ("SIMULATOR_OPTIONS", "--help", "no help here"),
        (
            "ALERT_WEBHOOK",
            "ops.example",
            "expected an address that begins with http:// or https://",
        ),
        ("ALERT_EMAIL", "ops@example.org", "expected GF_SMTP_ENABLED=true with it"),
        ("TOKENS_FILE", "/no/such/file", "tokens are identities now"),
        (
            "ALLOWED_ORIGINS",
            "https://a.example/",
            "'https://a.example/' is not an origin; expected",
        ),
        ("RATE_LIMIT", "fast", "expected a number of readings per second, or 0 for any"),
        ("FORMATS", "tasmoto", "unknown: tasmoto; expected"),
        ("FORMATS_FILE", "/no/such/file", "expected a readable file"),
        ("TIME_ZONE", "Mars", "expected the name of a time zone such as UTC"),
        ("TLS", "iot local", "expected a list of names and addresses of this machine"),
        ("COLLECTOR_HOST", "no.such.invalid", "expected an address of this machine"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(name: str, text: str, reason: str) -> None:
    with pytest.raises(WorkspaceError) as raised:
        check({name: text})
    assert str(raised.value).startswith(f"{name}={text!r}: {reason}")
