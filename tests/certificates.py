"""Certificates that live as long as a test: an authority, and what it vouches for."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)


class Authority:
    """A private authority; `path` is its certificate (PEM), to be trusted or not."""

    def __init__(self, directory: Path) -> None:
        """Make it in `directory`; each needs a directory of its own."""
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "ca.crt"
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._issued = 0
        now = datetime.now(UTC)
        builder = _builder(_named("test authority"), self._key, now - DAY, now + DAY)
        self._certificate = (
            builder.issuer_name(_named("test authority"))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_signing(), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, *names: str, expired: bool = False) -> tuple[Path, Path]:
        """Return the files of a server's certificate for `names`, with its chain, and of its key.

        A name may be an address. With `expired`, the certificate was valid until an hour ago.
        """
        self._issued += 1
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        until = now - timedelta(hours=1) if expired else now + DAY
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _builder(_named(names[0]), key, now - DAY, until)
            .issuer_name(self._certificate.subject)
            .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(authority, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        chain = certificate.public_bytes(pem) + self.path.read_bytes()
        secret = key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        paths = (
            self._directory / f"server{self._issued}.crt",
            self._directory / f"server{self._issued}.key",
        )
        for path, content in zip(paths, (chain, secret), strict=True):
            path.write_bytes(content)
        return paths


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, since: datetime, until: datetime
) -> x509.CertificateBuilder:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(identifier, critical=False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _signing() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
