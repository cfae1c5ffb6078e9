"""The command line."""

import re
import subprocess
import sys

import pytest

from device.arguments import parse

REQUIRED = ("-h", "localhost", "-p", "1337")


def test_defaults_are_the_original_device() -> None:
    arguments = parse(REQUIRED)
    assert (arguments.host, arguments.port) == ("localhost", 1337)
    assert (arguments.sensors, arguments.sensor_id, arguments.types) == (1, 123, ("temp",))
    assert (arguments.rate, arguments.count, arguments.batch) == (1, None, 1)
    assert (arguments.pattern, arguments.seed, arguments.token) == ("uniform", None, None)


@pytest.mark.parametrize("argv", [[], ["-h", "localhost"], ["-p", "1337"]])
def test_without_host_and_port_the_usage_and_exit_code_1(argv: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "device", *argv], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("usage: python -m device -h HOST -p PORT")
    assert done.stdout == ""


def test_help_names_every_option_and_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse(["--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    usage, explained = shown.split("A simulated device", 1)
    options = set(re.findall(r"--?[a-z][a-z-]*", usage)) - {"-m"}
    assert options >= {"-h", "-p", "--help", "--batch", "--buffer", "--seed", "--token"}
    lines = [line.strip() for line in explained.splitlines()]
    for option in options:
        assert any(line.startswith(f"{option} ") for line in lines), option
    assert explained.count("(default") >= len(options - {"-h", "-p", "--help"}) - 1


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (["-p", "0"], "'0': expected an integer from 1 to 65535"),
        (["-p", "http"], "'http': expected an integer from 1 to 65535"),
        (["-h", "http://localhost"], "expected a name or an address"),
        (["--rate", "0"], "expected a number from 1e-06 to 1e+09"),
        (["--rate", "nan"], "expected a number"),
        (["--count", "0"], "expected an integer of at least 1"),
        (["--count", "5", "--duration", "5"], "not allowed with argument"),
        (["--batch", "11", "--buffer", "10"], "--batch 11: expected at most --buffer, 10"),
        (["--types", "\udce9"], "'\\udce9': expected UTF-8"),
        (["--types", "a", "a"], "expected each type once"),
        (["--sensors", "2", "--sensor-id", str(2**63 - 1)], "the last sensor id would be above"),
        (["--token", "a\nb"], "expected printable ASCII"),
        (["--pattern", "noise"], "invalid choice: 'noise'"),
    ],
)
def test_wrong_arguments_are_named(
    wrong: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parse([*REQUIRED, *wrong])
    assert end.value.code == 1
    assert expected in capsys.readouterr().err


def test_duration_is_as_many_readings_as_fall_due_in_it() -> None:
    assert parse([*REQUIRED, "--duration", "10", "--rate", "2.5"]).count == 25
    assert parse([*REQUIRED, "--duration", "0.2"]).count == 1
    assert parse([*REQUIRED, "--duration", "0.7", "--rate", "10"]).count == 7
