"""docker-stack.yml without an engine: what Swarm would only say at night."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from run.configuration import ROOT
from run.stack import CONFIGS, make_secrets
from run.swarm import PREFIX
from tests.compose.cell import SERVICES, STACK_FILE
from tests.compose.images import COMPOSE_FILE, pinned

# Swarm ignores or refuses them.
WITHOUT_EFFECT = {
    *("build", "container_name", "depends_on", "mem_limit", "network_mode", "pids_limit"),
    *("pull_policy", "restart", "security_opt", "tmpfs"),
}
NOT_OF_CELLS = {"COLLECTOR_PORT", "FORMATS_FILE", "INFLUX_PASSWORD"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(STACK_FILE.read_text())
    return found


def services(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = document["services"]
    return found


def test_each_service_has_what_swarm_needs(document: dict[str, Any]) -> None:
    assert set(services(document)) == {*SERVICES, "dashboard"}
    for service in services(document).values():
        assert not WITHOUT_EFFECT & set(service)
        assert {"healthcheck", "stop_grace_period", "ulimits", "user"} <= set(service)
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        deploy = service["deploy"]
        assert deploy["endpoint_mode"] == "dnsrr", "there is no mesh for what is on a node"
        assert deploy["placement"] == {"constraints": ["node.labels.iot.cell == true"]}
        for update in (deploy["update_config"], deploy["rollback_config"]):
            assert (update["parallelism"], update["order"]) == (1, "stop-first")
        assert deploy["update_config"]["failure_action"] == "rollback"
        assert set(deploy["resources"]["limits"]) == {"memory", "pids"}


def test_a_cell_is_on_each_node_and_meets_at_its_socket(document: dict[str, Any]) -> None:
    for name in SERVICES:
        service = services(document)[name]
        assert service["deploy"]["mode"] == "global"
        assert "socket:/run/broker" in service["volumes"]
        assert service["user"].endswith(":1883"), "the group that may use the socket"
        assert all(port["mode"] == "host" for port in service.get("ports", []))
    for name in ("collector", "bridge"):
        assert services(document)[name]["environment"]["MQTT_HOST"].startswith("/run/broker/")


def test_images_and_settings_are_those_of_compose(document: dict[str, Any]) -> None:
    compose = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
    for name, service in services(document).items():
        assert service["image"] == f"${{{name.upper()}_IMAGE:-{pinned()[name]}}}"
        missing = set(compose[name].get("environment", [])) - set(service["environment"])
        # The socket speaks no TLS, so the bridge does not either.
        assert missing <= NOT_OF_CELLS | ({"TLS", "TLS_DIR"} if name == "bridge" else set())


def test_secrets_and_configs_are_those_that_make_stack_makes(
    document: dict[str, Any], tmp_path: Path
) -> None:
    made = {"secrets": set(make_secrets(tmp_path, {})), "configs": set(CONFIGS)}
    for kind, names in made.items():
        assert document[kind] == {name: {"external": True, "name": PREFIX + name} for name in names}
        used = [one for service in services(document).values() for one in service.get(kind, [])]
        assert {one["source"] for one in used} == names
        if kind == "secrets":
            assert {(one["source"], one["mode"]) for one in used} <= {
                *((name, 0o400) for name in names),
                *((name, 0o444) for name in ("ca.crt", "server.crt")),
            }
    assert all((ROOT / path).is_file() for path in CONFIGS.values())


def test_secrets_are_made_once(tmp_path: Path) -> None:
    made = make_secrets(tmp_path, {})
    assert make_secrets(tmp_path, {}) == made
    named = make_secrets(tmp_path, {"TLS": "iot.local"})
    changed = {name for name in made if named[name] != made[name]}
    assert changed == {"server.crt", "server.key"}
    assert make_secrets(tmp_path, {}) == named, "without TLS the names stay"
    password = make_secrets(tmp_path, {"GRAFANA_PASSWORD": "a password"})
    assert {name for name in named if password[name] != named[name]} == {"grafana-admin"}


def test_each_setting_is_documented() -> None:
    text = STACK_FILE.read_text()
    used = set(re.findall(r"\$\{(\w+)", text)) | set(
        re.findall(r"^ +([A-Z_]+):$", text, re.MULTILINE)
    )
    documented = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs" / "cells.md").read_text()))
    documented |= set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text()))
    assert used <= documented
