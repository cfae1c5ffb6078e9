"""Requests that schemathesis makes of /openapi.json, valid and not, with all of its checks."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from run.configuration import ROOT
from tests.builders import Json
from tests.stack import Stack

SEED, EXAMPLES = "7", "10"
HOOKS = "tests.integration.schema_hooks"


def check(document: Json, url: str, directory: Path, *options: str) -> tuple[int, str]:
    """Check a collector against a document; return the exit code and what is printed."""
    path = directory / "openapi.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    bounds = ["--seed", SEED, "--max-examples", EXAMPLES, "--generation-database", "none"]
    program = [sys.executable, "-m", "schemathesis.cli", "run", str(path), "--url", url]
    done = subprocess.run(
        [*program, "--checks", "all", "--no-color", *bounds, *options],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": HOOKS},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_collector_is_as_it_is_described(
    pipeline: Stack, http: httpx.Client, tmp_path: Path
) -> None:
    document = http.get("/openapi.json").json()
    # A stream does not end, and no schema says which series there can be.
    without = ["--exclude-path-regex", "^/(live|history)"]
    code, printed = check(document, pipeline.collector.url, tmp_path, *without)
    assert code == 0, printed
    assert "Tested: 5" in printed


def without_a_required_field(document: Json) -> None:
    for schema in document["components"]["schemas"].values():
        if "sensor_id" in schema.get("required", []):
            schema["required"].remove("sensor_id")


def without_a_status(document: Json) -> None:
    del document["paths"]["/data"]["post"]["responses"]["201"]


def with_another_response(document: Json) -> None:
    problem = document["components"]["schemas"]["Problem"]
    problem["properties"]["status"] = {"type": "string"}


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (without_a_required_field, "Schema-valid request rejected"),
        (without_a_status, "Undocumented status code"),
        (with_another_response, "Response violates schema"),
    ],
)
def test_control_a_wrong_description_is_noticed(
    pipeline: Stack,
    http: httpx.Client,
    tmp_path: Path,
    damage: Callable[[Json], None],
    found: str,
) -> None:
    document = http.get("/openapi.json").json()
    damage(document)
    only = ["--include-path", "/data", "--phases", "fuzzing"]
    code, printed = check(document, pipeline.collector.url, tmp_path, *only)
    assert code == 1, printed
    assert found in printed
