"""`certificates`: shows the certificates of TLS, and takes certificates of one's own."""

import argparse
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509

from collector.access import certificates, pem, trial
from collector.access.authority import Server
from collector.access.trial import CertificatesRefused
from collector.commands.output import OK, WRONG, say
from collector.settings import Settings
from telemetry.printable import printable
from telemetry.process import ServiceError

_INPUT = Path("-")
_MOST = 5000
T = TypeVar("T")


class NoCertificates(ServiceError):
    """There are no certificates."""


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    command = subparsers.add_parser(
        "certificates",
        help="show the certificates of TLS, or take certificates of one's own",
        description="Without an action: names, issuer, and until when they are valid.",
    )
    command.set_defaults(run=_show)
    actions = command.add_subparsers(metavar="authority|install")
    actions.add_parser(
        "authority", help="print the certificate that devices have to trust (PEM)"
    ).set_defaults(run=_print_authority)
    install = actions.add_parser(
        "install",
        help="replace all by certificates of your own, after checks",
        description="For CERT and KEY, - is the input, which may hold both.",
    )
    install.add_argument(
        "cert", metavar="CERT", type=Path, help="the certificate, then its chain (PEM)"
    )
    install.add_argument("key", metavar="KEY", type=Path, help="its private key (PEM)")
    install.add_argument(
        "--authority", metavar="CA", type=Path, help="the authority, unless all trust it"
    )
    install.set_defaults(run=_install)


def _show(settings: Settings, _: argparse.Namespace) -> int:
    if (found := certificates.load(settings.certificates)) is None:
        wanted = "the next start makes them" if settings.tls_names else "TLS is not set"
        say(f"no certificates in {settings.certificates}: {wanted}")
        return OK
    chain, authorities = found
    is_ours = (settings.certificates / certificates.AUTHORITY_KEY).exists()
    renewal = ", then renewed by itself" if is_ours else ""
    say(f"names      {printable(', '.join(pem.names_of(chain[0])), _MOST)}")
    say(f"issuer     {pem.common_name(chain[0], issuer=True)}")
    say(f"valid      until {_end(chain[0])}{renewal}")
    for one in authorities:
        say(f"authority  {pem.common_name(one)}, until {_end(one)}")
    say(f"TLS        {', '.join(settings.tls_names) or 'not set'}")
    try:
        trial.check_installed(settings.certificates, settings.tls_names)
    except CertificatesRefused as error:
        say(f"trouble    {error}")
        return WRONG
    return OK


def _print_authority(settings: Settings, _: argparse.Namespace) -> int:
    found = certificates.load(settings.certificates)
    if not (found and found[1]):
        raise NoCertificates(f"there are none in {settings.certificates}: they are made with TLS")
    say(pem.encoded(found[1]).decode().rstrip())
    return OK


def _install(settings: Settings, options: argparse.Namespace) -> int:
    given = functools.cache(_content)  # the input can be read once
    chain = _decoded(options.cert, given, pem.certificates)
    server = Server(_decoded(options.key, given, pem.private_key), chain)
    if options.authority:
        authority = _decoded(options.authority, given, pem.certificates)
    else:
        authority = trial.authority_of(chain)
    trial.check(server, authority, settings.tls_names)
    certificates.install(settings.certificates, server, authority)
    sys.stderr.write(
        f"Installed, until {_end(chain[0])}; nothing renews it but this command. Devices have to"
        f" trust {pem.common_name(authority[0])!r}: `certificates authority` prints it.\n"
    )
    return OK


def _content(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == _INPUT else path.read_bytes()
    except OSError as error:
        raise CertificatesRefused(f"{path}: {error.strerror}") from None


def _decoded(path: Path, given: Callable[[Path], bytes], decode: Callable[[bytes], T]) -> T:
    try:
        return decode(given(path))
    except ValueError as error:
        raise CertificatesRefused(f"{path}: {error}") from None


def _end(certificate: x509.Certificate) -> str:
    return certificate.not_valid_after_utc.isoformat().replace("+00:00", "Z")
