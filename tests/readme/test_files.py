"""Files, links and pictures that the documentation names exist."""

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from run.configuration import ROOT
from tests.readme.documents import DOCUMENTS, blocks, section, without_blocks, without_code

PACKAGES = ("telemetry", "collector", "bridge", "device", "run")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(
    r"`((?:telemetry|collector|bridge|device|run|tests|docs|grafana|mosquitto)/[^`\s]*)`"
)


def documents() -> list[Path]:
    return [*DOCUMENTS, ROOT / "bench" / "README.md"]


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub makes of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(path), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def drawn(tree: str) -> set[str]:
    """Return the files in a drawing of directories: two spaces more for each level."""
    files: set[str] = set()
    directories: list[str] = []
    for line in tree.splitlines():
        indent, name = len(line) - len(line.lstrip()), line.split()[0]
        del directories[indent // 2 :]
        if name.endswith("/"):
            directories.append(name)
        else:
            files.add("".join([*directories, name]))
    return files


def test_every_file_of_the_packages_is_in_the_architecture_and_no_other() -> None:
    (tree,) = (block for block in blocks(section("docs/architecture.md", "Files")))
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGES]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    exist = {name for name in listed.splitlines() if (ROOT / name).is_file()}
    named = drawn(tree.content)
    # Most __init__.py only say what their package is.
    assert named - exist == set()
    assert {name for name in exist - named if not name.endswith("/__init__.py")} == set()


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(path: Path) -> None:
    for link in LINK.findall(without_code(path)):
        url = urlsplit(link)
        if url.scheme:
            continue
        target = (path.parent / url.path).resolve() if url.path else path
        assert target.exists(), link
        if url.fragment:
            assert url.fragment in anchors(target), link


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_exist(path: Path) -> None:
    missing = [name for name in PATH.findall(path.read_text("utf-8")) if not (ROOT / name).exists()]
    assert missing == []


def test_pictures_are_there() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)


def test_control_a_missing_file_is_noticed() -> None:
    tree = "a/\n  b.py   text\n  c/\n    d.py\ne/\n  f.py"
    assert drawn(tree) == {"a/b.py", "a/c/d.py", "e/f.py"}
