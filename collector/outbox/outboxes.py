"""The outboxes of a directory: `outbox.db`, and beside it `outbox-2.db` and so on."""

import re
import sqlite3
from contextlib import closing, suppress
from itertools import takewhile
from pathlib import Path

from collector.outbox.schema import BUSY_S, OutboxUnusable

# As many as three digits can tell apart: the last ones of the times that collectors give.
MOST = 999


def outboxes(path: Path) -> list[Path]:
    """Return those that exist, in order, of which `path` names the first; raises OSError."""
    others = [file for file in path.parent.glob("*") if _is_further(file.name, path)]
    first = [path] if path.exists() else []
    return first + sorted(others, key=lambda file: number_of(file, path))


def originals(path: Path) -> list[Path]:
    """Return those that are not copies of one before them, in any order; raises OSError."""
    by_id = {_id(file) or str(file): file for file in reversed(outboxes(path))}
    return list(by_id.values())


def would_be_outbox(file: Path, path: Path) -> bool:
    """Return whether a file with this path is one of the outboxes as soon as it exists."""
    is_beside = file.parent.resolve() == path.parent.resolve()
    return is_beside and (file.name == path.name or _is_further(file.name, path))


def refuse_copy(outbox: Path, path: Path) -> None:
    """Raise OutboxUnusable if an outbox before this one has its id: it is a copy of that."""
    own = _id(outbox)
    for other in takewhile(lambda one: one != outbox, outboxes(path)):
        if own and own == _id(other):
            raise OutboxUnusable(
                f"{outbox} is a copy of {other}: both have the id {own};"
                " move one of them to another directory"
            )


def number_of(outbox: Path, path: Path) -> int:
    """Return the number of an outbox among those of which `path` names the first, which has 1."""
    return 1 if outbox == path else int(outbox.stem.rpartition("-")[2])


def numbered(path: Path, number: int) -> Path:
    """Return what the outbox with this number, above 1, is called."""
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


def _is_further(name: str, path: Path) -> bool:
    named = f"{re.escape(path.stem)}-([2-9]|[1-9][0-9]{{1,2}}){re.escape(path.suffix)}"
    return re.fullmatch(named, name) is not None


def _id(path: Path) -> str | None:
    """Return the id in an outbox of any format; None if it cannot be read at once."""
    if path.is_file():  # opening a pipe would never end
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with suppress(sqlite3.Error), closing(sqlite3.connect(uri, BUSY_S, uri=True)) as db:
            for (id_,) in db.execute("SELECT id FROM outbox"):
                return str(id_)
    return None
