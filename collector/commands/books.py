"""`books`: whether accepted = stored + rejected + pending."""

import argparse
import json
from pathlib import Path
from typing import Any

from collector.commands.output import OK, WRONG, say, say_counts, say_superseded, say_text
from collector.outbox.books import read_books
from collector.outbox.superseded import in_outbox
from collector.settings import Settings

_MEANINGS = {
    "accepted": "answered with 201 or accepted/ since the outbox was created",
    "stored": "in InfluxDB, by the bridge's receipts",
    "rejected": "InfluxDB did not take them: see `rejected`",
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
    books = read_books(Path(settings.outbox_path))
    if options.json:
        say(json.dumps({**books._asdict(), "unbalanced": books.unbalanced}))
    else:
        say_counts(books._asdict(), _MEANINGS)
        if books.unbalanced:
            say_text(f"the books do not balance: {books.unbalanced:,} unaccounted for")
        else:
            say("accepted = stored + rejected + pending")
        _say_superseded(Path(settings.outbox_path))
    return WRONG if books.unbalanced else OK


def _say_superseded(path: Path) -> None:
    count, first = in_outbox(path)
    if count is None:
        say_text("very many readings came late; `audit` counts those superseded among them")
    else:
        say_superseded(count, first)
