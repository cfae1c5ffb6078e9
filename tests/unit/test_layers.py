"""Which room may import which."""

import ast
from pathlib import Path

import pytest

from run.configuration import ROOT

ROOMS = {"telemetry", "collector", "bridge", "device"}
MAY_IMPORT = {
    "telemetry": {"telemetry"},
    "collector": {"collector", "telemetry"},
    "bridge": {"bridge", "telemetry"},
    "device": {"device"},
}


def imported(source: str) -> set[str]:
    """Return the rooms that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.split(".")[0] for name in names} & (ROOMS | {"run", "tests", "bench"})


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_what_it_may(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files, f"{room} is empty"

    strangers = {
        str(path.relative_to(ROOT)): strange
        for path in files
        if (strange := imported(path.read_text(encoding="utf-8")) - MAY_IMPORT[room])
    }

    assert not strangers


def test_no_room_is_missing_from_the_table() -> None:
    rooms = {path.parent.name for path in Path(ROOT).glob("*/__main__.py")} - {"run", "bench"}

    assert rooms <= MAY_IMPORT.keys()


@pytest.mark.parametrize(
    "source",
    ["import bridge", "from bridge.batch import x", "def f():\n    from bridge import batch"],
)
def test_an_import_is_seen_wherever_it_stands(source: str) -> None:
    assert imported(source) == {"bridge"}
