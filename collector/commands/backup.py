"""`backup`: a consistent copy of the outbox, beside its running collector."""

import argparse
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from collector.commands.outboxes import paths
from collector.commands.output import OK, say
from collector.outbox.outboxes import would_be_outbox
from collector.outbox.schema import OutboxUnusable, open_beside
from collector.settings import Settings


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    command = subparsers.add_parser("backup", help="copy the outbox, beside its running collector")
    command.add_argument(
        "file",
        type=Path,
        help="the copy; must not exist yet, nor be one of the outboxes then, and neither FILE-2"
        " and so on of further outboxes",
    )
    command.set_defaults(run=_run)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    first, file = Path(settings.outbox_path), options.file
    copies = {
        path: file.parent / f"{file.stem}{path.stem.removeprefix(first.stem)}{file.suffix}"
        for path in paths(settings)
    }
    for copy in copies.values():
        if copy.exists():
            raise OutboxUnusable(f"{copy}: exists already")
        if would_be_outbox(copy, first):
            why = f"it would be an outbox beside {first}, and a collector would use it"
            raise OutboxUnusable(f"{copy}: {why}; choose another directory")
    for path, copy in copies.items():
        _copy(path, copy)
    say(f"copied to {', '.join(map(str, copies.values()))}")
    return OK


def _copy(path: Path, copy: Path) -> None:
    partial = copy.with_name(copy.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        with closing(open_beside(path)) as source:
            source.execute("BEGIN")  # the copy is of this moment, whatever is written meanwhile
            source.execute("SELECT id FROM outbox").fetchone()
            with closing(sqlite3.connect(partial)) as target:
                source.backup(target)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.rename(copy)
    except OSError as error:
        raise OutboxUnusable(f"{copy}: {(error.strerror or '').lower()}") from error
    except sqlite3.Error as error:
        raise OutboxUnusable(f"{copy}: {error}") from error
