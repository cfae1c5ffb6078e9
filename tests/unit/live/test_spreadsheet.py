"""Readings as CSV: complete for a program, and nothing that a spreadsheet would compute."""

import csv
import io
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.live import spreadsheet
from telemetry.reading import label_fault

WIDE = "\uff1d\uff0b\uff0d\uff20\ufe66"
SIGNS = st.sampled_from(f"=-@{WIDE} ;,'\"\\ax")
LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
TEXTS = st.text(
    SIGNS | st.sampled_from("+\t") | st.characters(codec="utf-8", exclude_characters=LINE_ENDS),
    min_size=1,
)
LABELS = st.text(
    SIGNS | st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="/+#"),
    min_size=1,
    max_size=60,
).filter(lambda label: label_fault(label) is None)
FORMULAS = ["=1", "x;=1*1", " =1", 'x;"=1', '"=1', "\t@a", "x; \ufe621", ";;-1", "a\xa0;\u3000=1"]
FORMULAS += [f"{sign}1" for sign in WIDE]


def cells(text: str) -> Iterator[str]:
    """Yield the cells, also those where a semicolon separates, whatever is done about quotes."""
    for line in text.splitlines():
        for separator in ",;":
            yield from next(csv.reader([line], delimiter=separator))
        yield from line.split(";")


def is_formula(cell: str) -> bool:
    return unicodedata.normalize("NFKC", cell.strip(' \t\xa0\u3000"'))[:1] in set("=+-@")


def written(label: str) -> str:
    return spreadsheet.lines([(0, 1.5)], label, label).decode()


@given(TEXTS)
@example("-2")
def test_no_label_becomes_a_formula(label: str) -> None:
    assert not any(map(is_formula, cells(written(label))))


@pytest.mark.parametrize("label", FORMULAS)
def test_these_would(label: str) -> None:
    text = io.StringIO()
    csv.writer(text).writerow(["2026-01-31T12:00:00Z", label])
    assert any(map(is_formula, cells(text.getvalue())))
    assert not any(map(is_formula, cells(written(label))))


@given(LABELS)
def test_a_program_reads_what_was_written(label: str) -> None:
    (row,) = csv.reader(io.StringIO(written(label), newline=""))
    assert row[0] == "1970-01-01T00:00:00Z"
    assert row[2] == "1.5"
    assert row[1] == row[3]
    assert row[1].replace("'", "") == label.replace("'", "")
    assert any(map(is_formula, cells(f'"{label}"'))) or row[1] == label
