"""The files of the page: what is copied is unchanged, what is ours is short and loads no others."""

import hashlib
import re

import pytest

from collector.http.page_files import POLICY
from run.configuration import ROOT

PAGE = ROOT / "collector" / "http" / "page"
UPLOT = "1.6.32"
# As npm has them in uplot-1.6.32.tgz, below dist/; MIT.
COPIED = {
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "uPlot.LICENSE.txt": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}
OWN = sorted(path.name for path in PAGE.iterdir() if path.name not in COPIED)
MAX_LINES, MAX_COLUMNS = 250, 100
INLINE = re.compile(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|javascript:", re.IGNORECASE)
ELSEWHERE = re.compile(r"(?:src|href|from|url\()\s*=?\s*[\"'(]?(?:https?:)?//")
AS_MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(")


def source(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COPIED)
def test_what_is_copied_is_unchanged(name: str) -> None:
    assert hashlib.sha256((PAGE / name).read_bytes()).hexdigest() == COPIED[name]


def test_the_copy_names_its_version_and_licence() -> None:
    assert f"(v{UPLOT})" in source("uPlot.iife.min.js").splitlines()[0]
    assert "MIT License" in source("uPlot.LICENSE.txt")


@pytest.mark.parametrize("name", OWN)
def test_files_are_short(name: str) -> None:
    lines = source(name).splitlines()
    assert len(lines) <= MAX_LINES
    assert [line for line in lines if len(line) > MAX_COLUMNS] == []


@pytest.mark.parametrize("name", OWN)
def test_nothing_is_inline_or_from_elsewhere(name: str) -> None:
    assert "'unsafe-inline'" not in POLICY
    assert not (INLINE.search(source(name)) if name.endswith(".html") else None)
    assert not ELSEWHERE.search(source(name))


@pytest.mark.parametrize("name", OWN)
def test_text_is_never_markup(name: str) -> None:
    assert not AS_MARKUP.search(source(name))


@pytest.mark.parametrize("bad", ["<p style='x'>", "<b onclick='x'>", "<script>x</script>"])
def test_control_what_is_inline_is_found(bad: str) -> None:
    assert INLINE.search(bad)
    assert ELSEWHERE.search('<script src="//cdn.example/x.js">')
    assert AS_MARKUP.search("element.innerHTML = id")
