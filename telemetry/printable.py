"""Foreign text in one harmless line for a terminal or a log."""

_CUT = "…"


def printable(text: str, most: int = 200) -> str:
    """Return the text in one line of at most `most` characters.

    What is not printable, control characters included, is escaped as in Python; so is what
    decoding has left of invalid UTF-8.
    """
    shown = text[: most + 1].strip()
    escaped = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)
    return escaped if len(escaped) <= most else escaped[: most - 1] + _CUT
