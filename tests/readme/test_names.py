"""Settings, commands, topics and make targets in the documentation are those of the code."""

import re
import subprocess
import sys

import msgspec
import pytest

import bridge.settings
import collector.settings
from run.configuration import ROOT
from telemetry import topics
from tests.readme.documents import DOCUMENTS, first_column, rows, section, text


def fields(kind: type[msgspec.Struct]) -> dict[str, object]:
    return {field.name.upper(): field.default for field in msgspec.structs.fields(kind)}


def settings() -> dict[str, object]:
    return fields(collector.settings.Settings) | fields(bridge.settings.Settings)


def usage(*arguments: str) -> str:
    argv = [sys.executable, "-m", "collector", *arguments, "--help"]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def commands_of_the_collector() -> set[str]:
    choices = re.search(r"\{([\w,]+)\}", usage())
    assert choices
    return set(choices[1].split(","))


def test_every_setting_is_in_the_table_and_no_other() -> None:
    assert first_column(section("docs/settings.md", "Services")) == set(settings())


def test_defaults_are_those_of_the_code() -> None:
    sizes = {"1 GiB": "1073741824", "8 MiB": "8388608"}
    shown: dict[str, str] = {}
    for names, _, defaults, *_ in rows(section("docs/settings.md", "Services")):
        variables = re.findall(r"`([^`]+)`", names)
        values = defaults.split(", ") if defaults else [""] * len(variables)
        shown |= {n: sizes.get(v, v) for n, v in zip(variables, values, strict=True)}
    assert shown == {name: str(default) for name, default in settings().items()}


def test_each_setting_names_its_services() -> None:
    of: dict[str, type[msgspec.Struct]] = {
        "collector": collector.settings.Settings,
        "bridge": bridge.settings.Settings,
    }
    for names, service, *_ in rows(section("docs/settings.md", "Services")):
        for name in re.findall(r"`([^`]+)`", names):
            users = {user for user, kind in of.items() if name in fields(kind)}
            assert users == (set(of) if service == "both" else {service}), name


def test_settings_for_compose_are_those_of_the_services_and_of_compose_itself() -> None:
    env_example = text(".env.example")
    offered = set(re.findall(r"^#?([A-Z_]+)=", env_example, re.MULTILINE))
    of_compose_itself = first_column(section("docs/settings.md", "Docker Compose"))
    assert of_compose_itself <= offered
    assert offered - of_compose_itself <= set(settings())
    compose = text("docker-compose.yml")
    assert all(name in compose for name in offered)


def test_settings_that_compose_passes_on_are_listed() -> None:
    passed_on = set(re.findall(r"^      ([A-Z_]+):$", text("docker-compose.yml"), re.MULTILINE))
    listed = section("docs/settings.md", "Docker Compose").split("passes these", 1)[1]
    assert set(re.findall(r"`([A-Z_]+)`", listed.split("\n\n")[0])) == passed_on


def test_defaults_of_compose_are_those_of_its_file() -> None:
    used = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", text("docker-compose.yml")))
    for name, default, *_ in rows(section("docs/settings.md", "Docker Compose")):
        assert used[name.strip("`")] == default


def test_every_command_is_shown_and_no_other() -> None:
    shown = re.findall(r"`python -m collector (\w+)", section("docs/operations.md", "Commands"))
    assert set(shown) == commands_of_the_collector()


@pytest.mark.parametrize("command", sorted(commands_of_the_collector()))
def test_every_option_of_a_command_is_shown(command: str) -> None:
    about = "\n".join(
        line
        for line in section("docs/operations.md", "Commands").splitlines()
        if f"python -m collector {command}" in line
    )
    options = set(re.findall(r"--[a-z]+", usage(command))) - {"--help"}
    assert options <= set(re.findall(r"--[a-z]+", about))


def test_topics() -> None:
    shown = first_column(section("docs/mqtt.md", "Topics"))
    names = {name for name, topic in vars(topics).items() if str(topic).endswith("/")}
    assert {topic.split("/")[0] + "/" for topic in shown} == {getattr(topics, n) for n in names}


def test_make_targets_exist_and_each_is_explained() -> None:
    prose = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", prose, re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    assert named <= targets
    explained = re.findall(r"`make ([a-z-]+)", section("CONTRIBUTING.md", "Set up"))
    assert set(explained) == targets - {"help"}
