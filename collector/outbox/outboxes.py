"""The outboxes of a directory: `outbox.db`, and beside it `outbox-2.db` and so on."""

import re
from pathlib import Path


def outboxes(path: Path) -> list[Path]:
    """Return those that exist, in order, of which `path` names the first; raises OSError."""
    named = re.compile(f"{re.escape(path.stem)}-([1-9][0-9]*){re.escape(path.suffix)}")
    others = {
        int(match[1]): file
        for file in path.parent.glob("*")
        if (match := named.fullmatch(file.name)) and int(match[1]) > 1
    }
    first = [path] if path.exists() else []
    return first + [others[number] for number in sorted(others)]


def number_of(outbox: Path, path: Path) -> int:
    """Return the number of an outbox among those of which `path` names the first, which has 1."""
    return 1 if outbox == path else int(outbox.stem.rpartition("-")[2])


def numbered(path: Path, number: int) -> Path:
    """Return what the outbox with this number, above 1, is called."""
    return path.with_name(f"{path.stem}-{number}{path.suffix}")
