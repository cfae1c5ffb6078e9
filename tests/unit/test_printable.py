"""Foreign text that is shown on a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("21.5 °C", "21.5 °C"),
        ("  a\nb\t", "a\\nb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202ea\x9b", "\\u202ea\\x9b"),
        (b"\xff".decode(errors="replace"), "\ufffd"),
        ("\ud800", "\\ud800"),
        ("a" * 13, "a" * 11 + "…"),
        ("a" * 12, "a" * 12),
        ("\0" * 100, "\\x00\\x00\\x0…"),
    ],
)
def test_a_line_is_harmless_and_short(text: str, shown: str) -> None:
    assert printable(text, 12) == shown


@given(st.text(), st.integers(1, 50))
def test_whatever_it_is_it_is_printable(text: str, most: int) -> None:
    shown = printable(text, most)
    assert shown.isprintable()
    assert len(shown) <= most
