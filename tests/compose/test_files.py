"""docker-compose.yml and .env.example, without an engine."""

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

SERVICES = {"setup", "simulator", "collector", "broker", "bridge", "db", "dashboard"}
EXAMPLE = ROOT / ".env.example"
# Keys that 1.29 does not know or that newer versions warn about.
UNSUPPORTED = {"version", "name", "include", "configs", "develop", "profiles"}
EXAMPLES = {"SIMULATOR_OPTIONS"}
"""Settings whose value in .env.example is an example, not the default."""


@pytest.fixture(scope="module")
def resolved(compose: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The file as Compose reads it when nothing is set."""
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


def test_the_services_and_volumes_are_those_expected(resolved: dict[str, Any]) -> None:
    assert set(resolved["services"]) == SERVICES
    assert set(resolved["volumes"]) == {
        *("secrets", "accounts", "tls", "outbox", "broker-data", "db-data", "dashboard-data"),
    }


def test_ports_are_published_on_localhost_only(resolved: dict[str, Any]) -> None:
    published = set()
    for name, service in resolved["services"].items():
        for port in service.get("ports", []):
            # 1.29 writes 127.0.0.1:1337:1337/tcp, 2.x a mapping.
            if isinstance(port, str):
                address, published_port, _ = port.split(":")
            else:
                address, published_port = port["host_ip"], port["published"]
            assert address == "127.0.0.1"
            published.add((name, int(published_port)))
    broker = {("broker", 1883), ("broker", 8883)}
    assert published == {("collector", 1337), *broker, ("db", 8086), ("dashboard", 3000)}


def test_upstream_images_are_pinned_to_a_patch_version(resolved: dict[str, Any]) -> None:
    for name in ("broker", "db", "dashboard"):
        assert re.search(r":\d+\.\d+\.\d+(-[a-z]+)?$", resolved["services"][name]["image"])
    base = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert base
    assert re.fullmatch(r"python:3\.13\.\d+-slim-\w+", base[1])


def test_every_service_but_setup_and_the_simulator_has_a_healthcheck(
    resolved: dict[str, Any],
) -> None:
    checked = {name for name, service in resolved["services"].items() if "healthcheck" in service}
    assert checked == SERVICES - {"simulator", "setup"}


def test_mounted_files_exist(resolved: dict[str, Any]) -> None:
    bound = []
    for service in resolved["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0] if isinstance(volume, str) else volume["source"]
            bound += [Path(source)] if source.startswith("/") else []
    assert {path.relative_to(ROOT).parts[0] for path in bound} == {"mosquitto", "grafana"}
    assert all(path.exists() for path in bound)


def test_the_file_uses_only_keys_that_both_versions_support() -> None:
    document = yaml.safe_load(COMPOSE_FILE.read_text())
    assert not UNSUPPORTED & set(document)
    assert not any(UNSUPPORTED & set(service) for service in document["services"].values())


def used() -> dict[str, str | None]:
    """Return each setting of docker-compose.yml with its default; None if the service has it."""
    text = COMPOSE_FILE.read_text()
    settings: dict[str, str | None] = dict(re.findall(r"\$\{(\w+):-(.*?)\}", text))
    passed = re.findall(r"^ +([A-Z_]+):$", text, re.MULTILINE)
    return dict.fromkeys(passed) | settings


def documented() -> dict[str, str]:
    """Return each setting of .env.example with its value there."""
    return dict(re.findall(r"^#([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))


def test_the_documented_settings_are_those_used() -> None:
    assert set(used()) == set(documented())


def test_documented_defaults_are_the_real_ones() -> None:
    for name, default in used().items():
        if name in EXAMPLES:
            continue
        if default is None:
            settings = [kind() for kind in (BridgeSettings, CollectorSettings)]
            defaults = {str(getattr(s, name.lower())) for s in settings if hasattr(s, name.lower())}
            assert documented()[name] in defaults, name
        else:
            assert documented()[name] == default, name
