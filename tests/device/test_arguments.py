import re
import subprocess
import sys

import pytest

from device.arguments import parse

REQUIRED = ("-h", "localhost", "-p", "1337")


def test_the_defaults_are_those_of_the_original_device() -> None:
    arguments = parse(REQUIRED)
    assert (arguments.host, arguments.port) == ("localhost", 1337)
    assert (arguments.sensors, arguments.sensor_id, arguments.types) == (1, 123, ("temp",))
    assert (arguments.rate, arguments.count, arguments.batch) == (1, None, 1)
    assert (arguments.pattern, arguments.seed, arguments.token) == ("uniform", None, None)
    assert not arguments.quiet
    assert not arguments.mqtt
    assert arguments.tls is None


@pytest.mark.parametrize("argv", [[], ["-h", "localhost"], ["-p", "1337"]])
def test_without_host_or_port_it_prints_the_usage_and_exits_with_1(argv: list[str]) -> None:
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
    output = capsys.readouterr().out
    usage, explanation = output.split("A simulated device", 1)
    options = set(re.findall(r"--?[a-z][a-z-]*", usage)) - {"-m"}
    assert options >= {"-h", "-p", "--help", "--batch", "--buffer", "--seed", "--token"}
    lines = [line.strip() for line in explanation.splitlines()]
    for option in options:
        assert any(line.startswith(f"{option} ") for line in lines), option
    assert explanation.count("(default") >= len(options - {"-h", "-p", "--help"}) - 1


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["-p", "0"], "'0': expected an integer from 1 to 65535"),
        (["-p", "http"], "'http': expected an integer from 1 to 65535"),
        (["-h", "http://localhost"], "expected a host name or an address"),
        (["-h", "x" * 64], "x': expected a host name or an address"),
        (["-h", "a..b"], "'a..b': expected a host name or an address"),
        (["--rate", "0"], "expected a number from 1e-06 to 1e+09"),
        (["--rate", "nan"], "expected a number"),
        (["--count", "0"], "expected an integer of at least 1"),
        (["--count", "5", "--duration", "5"], "not allowed with argument"),
        (["--batch", "11", "--buffer", "10"], "--batch 11: expected at most --buffer, 10"),
        (["--types", "\udce9"], "'\\udce9': expected UTF-8"),
        (["--types", "a", "a"], "expected each type once"),
        (["--sensors", "2", "--sensor-id", str(2**63 - 1)], "the last sensor id would be above"),
        (["--token", "a\nb"], "expected printable ASCII"),
        (["--mqtt", "--token", "a"], "expected both --user and --token-file"),
        (["--token-file", "/nowhere"], "'/nowhere': No such file or directory"),
        (["--tls", "https://iot.local"], "'https://iot.local': expected a host name or an address"),
        (["--tls", ",iot.local"], "'': expected a host name or an address"),
        (["--tls-ca", "ca.crt"], "--tls-ca ca.crt: expected --tls NAME with it"),
        (["--tls", "x", "--tls-ca", "/nowhere"], "--tls-ca /nowhere: No such file or directory"),
        (["--pattern", "noise"], "invalid choice: 'noise'"),
    ],
)
def test_an_invalid_argument_is_named(
    argv: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parse([*REQUIRED, *argv])
    assert end.value.code == 1
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("iot.local", "iot.local"),
        (" iot.local ,192.168.1.5", "iot.local"),
        ("192.168.1.5,iot.local", "192.168.1.5"),
        ("[fd00::5]", "fd00::5"),
    ],
)
def test_of_several_names_the_first_is_expected(names: str, expected: str) -> None:
    tls = parse([*REQUIRED, "--tls", names]).tls
    assert tls is not None
    assert tls.name == expected


@pytest.mark.parametrize("names", ["", " "])
def test_without_a_name_there_is_no_tls_whatever_authority_is_named(names: str) -> None:
    assert parse([*REQUIRED, "--tls", names, "--tls-ca", "/nowhere"]).tls is None


def test_a_duration_is_the_number_of_readings_scheduled_in_it() -> None:
    assert parse([*REQUIRED, "--duration", "10", "--rate", "2.5"]).count == 25
    assert parse([*REQUIRED, "--duration", "0.2"]).count == 1
    assert parse([*REQUIRED, "--duration", "0.7", "--rate", "10"]).count == 7
