"""The documentation as text: its sections, tables and code blocks."""

import re
from pathlib import Path
from typing import NamedTuple

from run.configuration import ROOT

DOCUMENTS = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
)


class Block(NamedTuple):
    """A fenced code block; `language` is what follows the opening fence."""

    language: str
    content: str


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    """Return what is below a heading, up to the next one of the same level or a higher one."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n", text(name), re.MULTILINE)
    assert found, f"{name} has no heading {heading!r}"
    rest = text(name)[found.end() :]
    return re.split(rf"^#{{1,{len(found[1])}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(markdown: str) -> list[list[str]]:
    """Return the cells of all table rows whose first cell begins with code."""
    lines = [line for line in markdown.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def first_column(markdown: str) -> set[str]:
    """Return every code span in the first cells of the tables."""
    return {name for first, *_ in rows(markdown) for name in re.findall(r"`([^`]+)`", first)}


def blocks(markdown: str) -> list[Block]:
    found = re.findall(r"^ *```(\w+)\n(.*?)^ *```$", markdown, re.DOTALL | re.MULTILINE)
    return [Block(*block) for block in found]


def without_code(path: Path) -> str:
    """Return a document without code blocks and code spans."""
    return re.sub(r"`[^`]*`", "", without_blocks(path))


def without_blocks(path: Path) -> str:
    """Return a document without code blocks."""
    markdown = path.read_text(encoding="utf-8")
    return re.sub(r"^ *```.*?^ *```$", "", markdown, flags=re.DOTALL | re.MULTILINE)
