"""`books`: whether accepted = stored + rejected + pending."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from collector.commands.outboxes import paths, say_each
from collector.commands.output import OK, WRONG, say, say_counts, say_superseded, say_text
from collector.outbox.books import Books, read_books, total
from collector.outbox.superseded import in_outbox
from collector.settings import Settings

_MEANINGS = {
    "accepted": "answered with 201 or accepted/ since the outbox was created",
    "stored": "in InfluxDB, by the bridge's receipts",
    "rejected": "not taken: see `rejected`",
    "pending": "no receipt yet",
    "healed": "InfluxDB had lost them; they were replayed",
    "unverified": "left a full outbox before they were read back",
    "discarded": "of the rejected, no longer in the outbox",
}


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    books = subparsers.add_parser("books", help="accepted = stored + rejected + pending?")
    books.add_argument("--json", action="store_true", help="print the counts as JSON")
    books.set_defaults(run=_run)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    files = paths(settings)
    books = {path.name: read_books(path) for path in files}
    unbalanced = {name: own.unbalanced for name, own in books.items() if own.unbalanced}
    if options.json:
        each = {name: _members(own) for name, own in books.items()}
        say(json.dumps({**_members(total(books.values())), "outboxes": each}))
        return WRONG if unbalanced else OK
    say_counts(total(books.values())._asdict(), _MEANINGS)
    say_each({name: own._asdict() for name, own in books.items()})
    for name, count in unbalanced.items():
        say_text(f"the books of {name} do not balance: {count:,} unaccounted for")
    if not unbalanced:
        say("accepted = stored + rejected + pending")
    _say_superseded(files)
    return WRONG if unbalanced else OK


def _members(books: Books) -> dict[str, int]:
    return {**books._asdict(), "unbalanced": books.unbalanced}


def _say_superseded(files: Sequence[Path]) -> None:
    found = [in_outbox(path) for path in files]
    if any(count is None for count, _ in found):
        say_text("very many readings came late; `audit` counts those superseded among them")
    else:
        count = sum(count or 0 for count, _ in found)
        say_superseded(count, [one for _, first in found for one in first])
