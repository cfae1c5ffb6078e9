"""`setup`: makes passwords and certificates of all services, before the containers start."""

import argparse
import os
from pathlib import Path
from typing import Any

from collector.access import certificates, secrets
from collector.commands.output import OK
from collector.formats import Formats
from collector.settings import Settings


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    setup = subparsers.add_parser(
        "setup",
        help="make the passwords and certificates of the services (Compose does it)",
        description="Makes what is missing, and gives each file to the user that reads it.",
    )
    setup.add_argument("secrets", type=Path, help="their directory")
    setup.set_defaults(run=_run)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    terms = Formats.of(settings).terms(settings)
    grafana_password = os.environ.get("GRAFANA_PASSWORD", "")
    secrets.make(options.secrets, settings.accounts, terms, grafana_password)
    if settings.tls_names:
        certificates.ensure(settings.certificates, settings.tls_names)
    secrets.give_to_containers(options.secrets, settings.accounts, settings.certificates)
    return OK
