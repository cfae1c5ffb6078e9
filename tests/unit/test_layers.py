"""Which module may import which, and how long files and functions may be."""

import ast
import graphlib
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_FILE_LINES = 250
MAX_MEDIAN_FUNCTION_LINES = 8

MAY_IMPORT = {
    "telemetry": {"telemetry"},
    "collector": {"collector", "telemetry"},
    "bridge": {"bridge", "telemetry"},
    "device": {"device"},
}
# The modules and subpackages of each package, the lowest first: none imports one further down.
LAYERS = {
    "telemetry": [
        "ranges timestamp topics brokers process backoff decode origin printable thread",
        "not_json deadline",
        "tls host_names addresses durations",
        "settings reading receipt status",
        "faults vitals exposition listeners influx_session",
        "published",
        "mqtt influx",
        "dead_letters",
    ],
    "collector": [
        "settings",
        "access",
        "outbox",
        "intake",
        "formats",
        "devices",
        "publishing",
        "audit",
        "lane",
        "adoption journal parent peers",
        "live",
        "http",
        "watch",
        "commands",
        "service",
        "worker workers",
    ],
    "bridge": [
        "keeping",
        "settings",
        "storage",
        "decode",
        "batch",
        "aside state",
        "forwarding",
        "writer",
        "metrics",
        "metrics_server",
        "check",
        "service",
    ],
}

Sources = Mapping[str, str]


def levels(package: str) -> dict[str, int]:
    """Return the number of the layer of each part; `__init__` is below all, `__main__` above."""
    layers = ["__init__", *LAYERS[package], "__main__"]
    return {part: number for number, layer in enumerate(layers) for part in layer.split()}


def part(module: str) -> str:
    """Return the module or subpackage directly below the package."""
    return module.split(".")[1] if "." in module else "__init__"


def sources(package: str) -> Sources:
    """Return the source of each module by its dotted name."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): (
            path.read_text(encoding="utf-8")
        )
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def imported(source: str) -> set[str]:
    """Return the dotted names imported anywhere in a module; `from a import b` gives `a.b`."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports are not resolved here"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def foreign(package: str, modules: Sources) -> set[str]:
    """Return the other packages of the repository that a package must not import but does."""
    ours = {"run", "tests", "bench", *MAY_IMPORT}
    names = {name.split(".")[0] for source in modules.values() for name in imported(source)}
    return names & ours - MAY_IMPORT[package]


def dependencies(modules: Sources) -> dict[str, set[str]]:
    """Return which of these modules each one imports."""

    def module(name: str) -> str:
        return name if name in modules else name.rpartition(".")[0]

    return {
        importer: {module(name) for name in imported(source)} & modules.keys()
        for importer, source in modules.items()
    }


def upward(package: str, modules: Sources) -> list[str]:
    """Return the imports of a higher layer."""
    level = levels(package)
    return [
        f"{importer} imports {name}"
        for importer, names in dependencies(modules).items()
        for name in sorted(names)
        if level[part(name)] > level[part(importer)]
    ]


def circle(modules: Sources) -> list[str]:
    """Return modules that import each other in a circle, none if there is no circle."""
    try:
        graphlib.TopologicalSorter(dependencies(modules)).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def functions(source: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines a function has from its `def` on, without its docstring."""
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_packages_it_may(package: str) -> None:
    assert sources(package)
    assert foreign(package, sources(package)) == set()


def test_every_service_is_in_the_table() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__main__.py")} - {"run", "bench"}
    assert packages <= MAY_IMPORT.keys()


@pytest.mark.parametrize("package", LAYERS)
def test_every_module_has_a_layer(package: str) -> None:
    assert {part(module) for module in sources(package)} <= levels(package).keys()


@pytest.mark.parametrize("package", LAYERS)
def test_no_module_imports_a_higher_layer(package: str) -> None:
    assert upward(package, sources(package)) == []


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    assert circle(sources(package)) == []


def test_no_file_is_too_long() -> None:
    folders = [path for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."]
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for folder in folders
        for path in folder.rglob("*.py")
    }
    assert {path: lines for path, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


@pytest.mark.parametrize("package", [*MAY_IMPORT, "run"])
def test_the_median_function_is_short(package: str) -> None:
    lengths = [length(f) for source in sources(package).values() for f in functions(source)]
    assert statistics.median(lengths) <= MAX_MEDIAN_FUNCTION_LINES


@pytest.mark.parametrize(
    "source",
    ["import bridge", "from bridge.writer import x", "def f():\n    from bridge import writer"],
)
def test_control_an_import_of_another_service_is_noticed(source: str) -> None:
    assert foreign("collector", {"collector.http.app": source}) == {"bridge"}


@pytest.mark.parametrize(
    "source",
    [
        "import collector.http.app",
        "from collector.http import app",
        "from collector.http.app import App",
        "def f():\n    from collector.http.app import App",
    ],
)
@pytest.mark.parametrize("layer", ["access", "outbox", "intake", "publishing"])
def test_control_an_upward_import_is_noticed(source: str, layer: str) -> None:
    modules = {f"collector.{layer}.x": source, "collector.http.app": "", "collector.http": ""}
    assert upward("collector", modules) == [f"collector.{layer}.x imports collector.http.app"]


def test_control_a_downward_import_is_fine() -> None:
    modules = {"collector.http": "from collector.outbox import Row", "collector.outbox": ""}
    assert upward("collector", modules) == circle(modules) == []


def test_control_a_circle_is_noticed() -> None:
    modules = {
        "bridge.a": "from bridge import b",
        "bridge.b": "import bridge.c",
        "bridge.c": "from bridge.a import x",
    }
    assert set(circle(modules)) == modules.keys()


def test_control_the_length_of_a_function_leaves_out_its_docstring() -> None:
    (function,) = functions('@d\ndef f():\n    """A\n\n    b.\n    """\n    x\n\n    return 1\n')
    assert length(function) == 4
