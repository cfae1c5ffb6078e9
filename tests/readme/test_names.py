"""Settings, commands, topics and files that the README names are those of the code."""

import re

import msgspec

import bridge.settings
import collector.settings
from collector import commands
from run.configuration import ROOT
from run.place import PORTS
from telemetry import topics

README = (ROOT / "README.md").read_text(encoding="utf-8")
ENV_EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def section(heading: str) -> str:
    return README.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def first_column(table: str) -> set[str]:
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def fields(kind: type[msgspec.Struct]) -> dict[str, object]:
    return {field.name.upper(): field.default for field in msgspec.structs.fields(kind)}


def settings() -> dict[str, object]:
    return fields(collector.settings.Settings) | fields(bridge.settings.Settings)


def test_every_setting_is_in_the_table_and_no_other() -> None:
    assert first_column(section("Settings")) == set(settings())


def test_defaults_are_those_of_the_code() -> None:
    sizes = {"1 GiB": "1073741824", "8 MiB": "8388608"}
    rows = [line.split("|") for line in section("Settings").splitlines() if line.startswith("| `")]
    shown: dict[str, str] = {}
    for _, names, _, defaults, *_ in rows:
        variables = re.findall(r"`([^`]+)`", names)
        values = defaults.strip().split(", ") if defaults.strip() else [""] * len(variables)
        shown |= {n: sizes.get(v, v) for n, v in zip(variables, values, strict=True)}
    assert shown == {name: str(default) for name, default in settings().items()}


def test_settings_for_compose_are_settings() -> None:
    offered = set(re.findall(r"^#?([A-Z_]+)=", ENV_EXAMPLE, re.MULTILINE))
    of_compose_alone = {
        *PORTS,
        "BIND_ADDRESS",
        "INFLUX_AUTH",
        "GRAFANA_PASSWORD",
        "SIMULATOR_OPTIONS",
    }
    assert offered - of_compose_alone <= set(settings())
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert all(name in compose for name in offered)


def test_every_command_is_shown_and_no_other() -> None:
    shown = set(re.findall(r"`python -m collector (\w+)", section("What became of my readings")))
    choices = re.search(r"\{([\w,]+)\}", commands._parser().format_usage())  # noqa: SLF001
    assert choices
    assert shown == set(choices[1].split(","))


def test_topics() -> None:
    shown = {topic.split("/")[0] + "/" for topic in first_column(section("MQTT topics"))}
    names = ("READINGS", "REPLAY", "RECEIPTS", "REJECTED", "STATUS")
    assert shown == {getattr(topics, name) for name in names}


def test_layout() -> None:
    rooms = re.findall(r"^(\w+)/ ", section("Layout"), re.MULTILINE)
    assert rooms
    assert all((ROOT / room).is_dir() for room in rooms)


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"`?make ([a-z-]+)", README))
    assert {"run", "test", "chaos", "bench"} <= targets
    assert targets <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def test_pictures_are_there() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)
