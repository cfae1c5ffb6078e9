"""Sees once an hour that there is a certificate, and that it is valid."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collector.access import certificates, trial
from collector.access.certificates import CertificatesUnusable
from collector.access.trial import CertificatesRefused

logger = logging.getLogger(__name__)

_LOOK_S = 3600
_SOON = timedelta(days=14)
_LONG_BEFORE = timedelta(days=365)


async def run(directory: Path, names: Sequence[str], look_s: float = _LOOK_S) -> None:
    """Renew what has to be renewed, for ever.

    A failure is logged, and again only when its reason changes: the old certificate may be valid
    for months.
    """
    trouble = ""
    while True:
        found = await asyncio.to_thread(_look, directory, names)
        if found and found != trouble:
            logger.warning("TLS: %s", found)
        trouble = found
        await asyncio.sleep(look_s)


def _look(directory: Path, names: Sequence[str]) -> str:
    """Return what is wrong, or will be soon; "" is nothing."""
    try:
        certificates.ensure(directory, names)
        if ending := _ending(directory):
            return ending
        trial.check_installed(directory, names)
    except (CertificatesUnusable, CertificatesRefused) as error:
        return str(error)
    return ""


def _ending(directory: Path) -> str:
    """Return what ends soon and nobody renews; raises CertificatesUnusable."""
    if (found := certificates.load(directory)) is None:
        return ""
    chain, authorities = found
    now = datetime.now(UTC)
    if authorities and (directory / certificates.AUTHORITY_KEY).exists():
        if (end := authorities[0].not_valid_after_utc) < now + _LONG_BEFORE:
            return f"the authority is valid until {end} only; a new one has to reach all devices"
    elif (end := min(one.not_valid_after_utc for one in chain)) < now + _SOON:
        return f"a certificate is valid until {end} only: `certificates install` takes new ones"
    return ""
