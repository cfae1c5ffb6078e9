"""docker-compose.yml and .env.example as both Compose versions read them. Needs no engine."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.settings import Settings as BridgeSettings
from collector.settings import Settings as CollectorSettings
from run.configuration import ROOT
from tests.compose.compose_cli import Command
from tests.compose.images import COMPOSE_FILE

SERVICES = {"simulator", "collector", "broker", "bridge", "db", "dashboard"}
EXAMPLE = ROOT / ".env.example"
# Keys that 1.29 does not know, or that newer versions complain of.
FOREIGN = {"version", "name", "include", "configs", "develop", "profiles"}
SET_BY_USE = {"SIMULATOR_OPTIONS"}
"""Whose line in .env.example is an example, not the default."""


@pytest.fixture(scope="module")
def read(compose: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Give the file as a Compose understands it, nothing set."""
    empty = tmp_path_factory.mktemp("settings") / "empty.env"
    empty.touch()
    done = subprocess.run(
        [*compose, "--env-file", str(empty), "-f", str(COMPOSE_FILE), "config"],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARN" not in done.stderr.upper()
    document = yaml.safe_load(done.stdout)
    assert isinstance(document, dict)
    return document


def test_both_versions_read_the_same_services(read: dict[str, Any]) -> None:
    assert set(read["services"]) == SERVICES
    assert set(read["volumes"]) == {"outbox", "broker-data", "db-data", "dashboard-data"}


def test_nothing_is_published_beyond_this_machine(read: dict[str, Any]) -> None:
    published = {}
    for name, service in read["services"].items():
        for port in service.get("ports", []):
            # 1.29 writes 127.0.0.1:1337:1337/tcp, 2.x a mapping.
            if isinstance(port, str):
                address, outer, _ = port.split(":")
            else:
                address, outer = port["host_ip"], port["published"]
            assert address == "127.0.0.1"
            published[name] = int(outer)
    assert published == {"collector": 1337, "broker": 1883, "db": 8086, "dashboard": 3000}


def test_upstream_images_are_pinned_to_a_patch(read: dict[str, Any]) -> None:
    for name in ("broker", "db", "dashboard"):
        assert re.search(r":\d+\.\d+\.\d+(-[a-z]+)?$", read["services"][name]["image"])
    base = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert base
    assert re.fullmatch(r"python:3\.13\.\d+-slim-\w+", base[1])


def test_every_service_but_the_simulator_is_probed(read: dict[str, Any]) -> None:
    probed = {name for name, service in read["services"].items() if "healthcheck" in service}
    assert probed == SERVICES - {"simulator"}


def test_mounted_files_exist(read: dict[str, Any]) -> None:
    bound = []
    for service in read["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0] if isinstance(volume, str) else volume["source"]
            bound += [Path(source)] if source.startswith("/") else []
    assert {path.relative_to(ROOT).parts[0] for path in bound} == {"mosquitto", "grafana"}
    assert all(path.exists() for path in bound)


def test_the_file_keeps_to_what_both_versions_know() -> None:
    document = yaml.safe_load(COMPOSE_FILE.read_text())
    assert not FOREIGN & set(document)
    assert not any(FOREIGN & set(service) for service in document["services"].values())


def used() -> dict[str, str | None]:
    """Return each setting of docker-compose.yml with its default; None where it is passed on."""
    text = COMPOSE_FILE.read_text()
    settings: dict[str, str | None] = dict(re.findall(r"\$\{(\w+):-(.*?)\}", text))
    passed = re.findall(r"^ +([A-Z_]+):$", text, re.MULTILINE)
    return dict.fromkeys(passed) | settings


def explained() -> dict[str, str]:
    """Return each setting of .env.example with the value that it has there."""
    return dict(re.findall(r"^#([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))


def test_every_setting_is_explained_and_every_explained_one_is_used() -> None:
    assert set(used()) == set(explained())


def test_defaults_are_told_as_they_are() -> None:
    for name, default in used().items():
        if name in SET_BY_USE:
            continue
        if default is None:
            settings = [kind() for kind in (BridgeSettings, CollectorSettings)]
            told = {str(getattr(s, name.lower())) for s in settings if hasattr(s, name.lower())}
            assert explained()[name] in told, name
        else:
            assert explained()[name] == default, name
