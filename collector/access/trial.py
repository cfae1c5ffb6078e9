"""Certificates, tried as clients will: those that are there, and one's own before that."""

import contextlib
import ssl
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from collector.access import certificates, pem
from collector.access.authority import Server
from telemetry import tls
from telemetry.printable import printable
from telemetry.process import ServiceError

_MOST = 1000


class CertificatesRefused(ServiceError):
    """Certificates that clients would refuse; the text says why."""


def check(server: Server, authority: Sequence[x509.Certificate], names: Sequence[str]) -> None:
    """Raise CertificatesRefused unless clients trust a server under all of these names."""
    certificate = server.chain[0]
    if not pem.fits(server.key, certificate):
        raise CertificatesRefused(
            "the key is not that of the certificate, which is the first one in its file; those that"
            " lead to the authority follow it"
        )
    if certificate.not_valid_after_utc <= datetime.now(UTC):
        raise CertificatesRefused(f"the certificate expired at {certificate.not_valid_after_utc}")
    with tempfile.TemporaryDirectory() as name:  # OpenSSL reads keys from files only
        both, trusted = Path(name, "server"), Path(name, "authority")
        both.write_bytes(pem.encoded_key(server.key) + pem.encoded(server.chain))
        trusted.write_bytes(pem.encoded(authority))
        for one in names or ["localhost"]:
            _shake_hands((both, both), trusted, one, is_named=bool(names))


def check_installed(directory: Path, names: Sequence[str]) -> None:
    """Raise CertificatesRefused unless clients trust what is in a directory, under these names."""
    server = directory / certificates.CERTIFICATE, directory / certificates.KEY
    try:
        for one in names:
            _shake_hands(server, directory / certificates.AUTHORITY, one)
    except (OSError, ValueError) as error:  # they are being replaced, or one is missing
        reason = getattr(error, "strerror", None) or error
        raise CertificatesRefused(f"{directory}: {reason}") from None


def authority_of(chain: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Return the authority that a chain leads to, which may be its last certificate.

    Raises CertificatesRefused if it is not one that is trusted everywhere.
    """
    if root := pem.root_of(chain, _trusted_everywhere()):
        return [root]
    raise CertificatesRefused(
        f"no authority that is trusted everywhere has issued {pem.common_name(chain[-1])!r}: add"
        f" those between, or name it with --authority: {pem.common_name(chain[-1], issuer=True)}"
    )


def _trusted_everywhere() -> Iterator[x509.Certificate]:
    end = b"-----END CERTIFICATE-----\n"
    blocks = Path(DEFAULT_CA_BUNDLE_PATH).read_bytes().split(end)
    # Some of them are older than the rules, which is a warning now and later an error.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for block in blocks:
            with contextlib.suppress(ValueError):
                yield pem.certificates(block + end)[0]


def _shake_hands(
    server_files: tuple[Path, Path], trusted: Path, name: str, *, is_named: bool = True
) -> None:
    """Connect a client that expects a name with a server; raises CertificatesRefused."""
    client_context = tls.client_context(str(trusted))
    client_context.check_hostname = is_named
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        server_context.load_cert_chain(*server_files, password=lambda: "")  # it would ask for one
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        # A wildcard is there for names such as this one.
        expected = name.replace("*", "x")
        client = client_context.wrap_bio(to_client, to_server, server_hostname=expected)
        server = server_context.wrap_bio(to_server, to_client, server_side=True)
        while not (_is_done(client) & _is_done(server)):
            pass
    except ssl.SSLError as error:
        has = pem.names_of(pem.certificates(server_files[0].read_bytes())[0])
        why = (tls.plain_reason(error) or str(error.reason)).removeprefix("TLS: ")
        raise CertificatesRefused(
            f"clients that expect {name!r} would refuse it: {why}; it is for"
            f" {printable(', '.join(has), _MOST)}"
        ) from None


def _is_done(side: ssl.SSLObject) -> bool:
    """Go on with a handshake; return whether it is at its end."""
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
