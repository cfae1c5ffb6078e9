"""Keys and certificates as text (PEM), and what they hold."""

from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPublicKeyTypes,
    PrivateKeyTypes,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from telemetry.printable import printable

_KEY = b"PRIVATE KEY-----"


def certificates(content: bytes) -> list[x509.Certificate]:
    """Return the certificates in a text, at least one; ValueError saying what is wrong."""
    try:
        return x509.load_pem_x509_certificates(content)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("expected a certificate (PEM)") from None


def private_key(content: bytes) -> PrivateKeyTypes:
    """Return the private key in a text, which may hold certificates too; ValueError as above."""
    begin, end = b"-----BEGIN ", b"-----END "
    blocks = (block.partition(end)[0] for block in content.split(begin)[1:])
    found = [block for block in blocks if _KEY in block.partition(b"\n")[0]]
    if not found:
        raise ValueError("expected a private key (PEM)")
    label = found[0].partition(b"-----")[0]
    try:
        return load_pem_private_key(begin + found[0] + end + label + b"-----\n", None)
    except TypeError:
        raise ValueError("expected a private key without a password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("expected a private key (PEM)") from None


def encoded_key(key: PrivateKeyTypes) -> bytes:
    """Return a private key as text, without a password.

    Where there is such a format, its first line names the kind of key, for mosquitto/start.sh.
    """
    try:
        return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    except (ValueError, UnsupportedAlgorithm):
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def encoded(chain: Iterable[x509.Certificate]) -> bytes:
    """Return certificates as text."""
    return b"".join(one.public_bytes(Encoding.PEM) for one in chain)


def fits(key: PrivateKeyTypes, certificate: x509.Certificate) -> bool:
    """Return whether a certificate is for a private key."""
    try:
        return _spki(key.public_key()) == _spki(certificate.public_key())  # type: ignore[arg-type]
    except UnsupportedAlgorithm:
        return False


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether the key of `issuer` has signed a certificate, and their names agree."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def names_of(certificate: x509.Certificate) -> list[str]:
    """Return the names and addresses of a certificate."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    addresses = map(str, found.get_values_for_type(x509.IPAddress))
    return [*found.get_values_for_type(x509.DNSName), *addresses]


def common_name(certificate: x509.Certificate, *, issuer: bool = False) -> str:
    """Return the name of a certificate, or of its issuer, in one line."""
    name = certificate.issuer if issuer else certificate.subject
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return printable(str(found[0].value) if found else name.rfc4514_string())


def root_of(
    chain: Sequence[x509.Certificate], known: Iterable[x509.Certificate]
) -> x509.Certificate | None:
    """Return the authority that a chain leads to: its last one if it signed itself, or a known."""
    if is_issued_by(chain[-1], chain[-1]):
        return chain[-1]
    by_name = {one.subject: one for one in known}
    candidates = ((one, by_name.get(one.issuer)) for one in chain)
    return next((root for one, root in candidates if root and is_issued_by(one, root)), None)


def _spki(key: CertificateIssuerPublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
