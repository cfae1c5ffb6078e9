"""docs/formats.md has the families, the keys and an example that works."""

import re
from pathlib import Path

import msgspec
import pytest

from collector.formats.catalog import families
from collector.formats.formats import Formats
from collector.formats.schema import RuleText
from tests.readme.documents import blocks, first_column, rows, section, text

EXAMPLE = next(b.content for b in blocks(text("docs/formats.md")) if b.language == "toml")


def test_the_families_and_their_topics_are_in_the_table() -> None:
    table = rows(section("docs/formats.md", "Families"))
    shown = {(name.strip("`"), in_all, topic.strip("`")) for name, in_all, topic, *_ in table}
    exist = {
        (name, "" if family.by_name_only else "all", str(rule["topic"]))
        for name, family in families().items()
        for rule in family.rules
    }
    assert shown == exist | {("devices", "all", "devices/#")}


def test_the_keys_are_in_the_table() -> None:
    table = text("docs/formats.md").split("| key | default | meaning |")[1]
    assert first_column(table) == {field.name for field in msgspec.structs.fields(RuleText)}


@pytest.mark.parametrize("line", re.findall(r"^# (\S+/\S+ .*)$", EXAMPLE, re.MULTILINE))
def test_the_example_takes_the_messages_that_it_shows(tmp_path: Path, line: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(EXAMPLE, encoding="utf-8")
    topic, payload = line.split(" ", 1)
    readings, skipped = Formats.load("", str(file), "UTC").read(topic, payload.encode())
    assert readings
    assert skipped == 0
