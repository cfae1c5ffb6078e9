"""`audit`: compares accepted readings with InfluxDB."""

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

from collector.audit.compare import MAX_DESCRIBED, Audit, Result, total
from collector.audit.read_back import ReadBack
from collector.audit.unreachable import InfluxUnreachable
from collector.commands.duration import duration_s, duration_since
from collector.commands.outboxes import elsewhere, say_each, windows
from collector.commands.output import (
    FAILED,
    OK,
    WRONG,
    say,
    say_counts,
    say_reach,
    say_superseded,
    say_text,
)
from collector.commands.progress import progress
from collector.settings import Settings
from telemetry.addresses import addresses
from telemetry.influx import nodes
from telemetry.settings import InfluxAccess, SettingError

_MEANINGS = {
    "audited": "accepted, of that time, and still in the outbox",
    "stored": "InfluxDB holds their values",
    "pending": "no receipt yet",
    "rejected": "not taken: see `rejected`",
    "superseded": "another value was accepted later for their point",
    "expired": "older than InfluxDB's retention policy",
    "missing": "stored, and InfluxDB has nothing or another value",
}


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    audit = subparsers.add_parser("audit", help="compare accepted readings with InfluxDB")
    audit.add_argument("--since", type=duration_s, help="only the last 90s, 30m, 1h, 2d, ...")
    audit.add_argument(
        "--node",
        action="append",
        metavar="ADDRESS",
        default=[],
        help="ask this InfluxDB, and not whichever answers; may be given several times",
    )
    audit.add_argument("--json", action="store_true", help="print the result as JSON")
    audit.set_defaults(run=_run)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    if not options.node:
        return _audit(settings.influx, settings, options)
    codes = []
    for name, access in nodes(_among(settings.influx, options.node, settings.influx_port)).items():
        if not options.json:
            say(f"{name}:")
        try:
            codes.append(_audit(access, settings, options))
        except InfluxUnreachable as unreachable:  # the others are asked all the same
            codes.append(FAILED)
            why = str(unreachable)
            say(json.dumps({"node": name, "error": why}) if options.json else why)
    return max(codes)


def _among(access: InfluxAccess, given: Sequence[str], port: int) -> InfluxAccess:
    """Return the access to the given addresses."""
    try:
        return {**access, "addresses": addresses(",".join(given), port)}
    except ValueError as error:
        raise SettingError("--node", ",".join(given), str(error)) from None


def _audit(access: InfluxAccess, settings: Settings, options: argparse.Namespace) -> int:
    since = 0 if options.since is None else time.time() - options.since
    read_back = ReadBack(access)
    with windows(settings, since) as opened:
        audits = [Audit(window, read_back, elsewhere(settings, window)) for window in opened]
        results = {}
        for window, audit in zip(opened, audits, strict=True):
            with progress(window) as on_progress:
                results[window.path.name] = audit.run(on_progress)
        unresolved = sum(len(window.rejections()) for window in opened)
    result = total(results.values())
    is_complete = all(window.is_complete for window in opened)
    reaches = is_complete or options.since is None
    each = {name: own._asdict() for name, own in results.items()}
    if options.json:
        node = {"node": access["addresses"][0]} if options.node else {}
        counts = {**result._asdict(), "complete": is_complete, "outboxes": each}
        say(json.dumps({**node, **counts}))
    else:
        say_counts(result._asdict(), _MEANINGS)
        say_each(each)
        if result.missing:
            _say_missing(result, audits, read_back, is_node=bool(options.node))
        say_superseded(result.superseded, [one for audit in audits for one in audit.superseded])
        say_reach(opened)
        if unresolved:
            say(f"rejected: {unresolved:,}; `rejected` lists, replays and discards them")
    return OK if reaches and not (result.missing or unresolved) else WRONG


def _say_missing(
    result: Result, audits: Sequence[Audit], read_back: ReadBack, *, is_node: bool
) -> None:
    """Print what is missing, and what brings it back."""
    oldest = min(audit.missing_since for audit in audits if audit.missing_since is not None)
    repair = f"`replay --since {duration_since(oldest)}`"
    if is_node:
        hint = (
            f"In a cluster {repair} stores them again, or a running collector's auditor by itself."
            " An InfluxDB that is in no cluster gets them only while it is the first of INFLUX_HOST"
            " that answers."
        )
    elif read_back.has_database:
        hint = (
            f"{repair} stores them again, over other values that InfluxDB has there. A running"
            " collector's auditor does so by itself once it notices a loss, but leaves values that"
            " no outbox of this directory has: they may be later corrections."
        )
    else:
        hint = (
            f"A running bridge creates it, and {repair} brings them back, or a running"
            " collector's auditor by itself."
        )
    if read_back.has_database:
        _say_first(result, audits)
    else:
        hint = (
            f"database {read_back.database!r} does not exist in {read_back.server}:"
            f" {result.missing:,} stored readings are missing. {hint}"
        )
    say_text(hint)


def _say_first(result: Result, audits: Sequence[Audit]) -> None:
    """Print the first that are missing, and how many more there are."""
    described = [text for audit in audits for text in audit.missing][:MAX_DESCRIBED]
    for description in described:
        say(description)
    if more := result.missing - len(described):
        say(f"... and {more:,} more")
