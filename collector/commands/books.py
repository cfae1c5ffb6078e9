"""`books`: whether accepted = stored + rejected + pending."""

import argparse
from pathlib import Path
from typing import Any

from collector.commands.output import OK, WRONG, say, say_counts
from collector.outbox.books import read_books
from collector.settings import Settings


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    books = subparsers.add_parser("books", help="accepted = stored + rejected + pending?")
    books.set_defaults(run=_run)


def _run(settings: Settings, _: argparse.Namespace) -> int:
    books = read_books(Path(settings.outbox_path))
    say_counts(books._asdict())
    if books.unbalanced:
        say(f"the books do not balance: {books.unbalanced} unaccounted for")
        return WRONG
    say("accepted = stored + rejected + pending")
    return OK
