"""A private authority of this pipeline, and the certificates that it issues."""

import contextlib
import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from collector.access import pem

_AUTHORITY_LIFE = timedelta(days=3650)
_LIFE = timedelta(days=397)  # browsers take no longer ones
_LAG = timedelta(days=1)  # of the clocks of devices
_NAME = "telemetry-pipeline"


class Server(NamedTuple):
    """A server's private key, and its certificate with those that lead to its authority."""

    key: PrivateKeyTypes
    chain: list[x509.Certificate]


class Authority:
    """A key and its certificate, with which it issues those of servers."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self.key = key
        self.certificate = certificate

    @classmethod
    def new(cls, now: datetime, key: ec.EllipticCurvePrivateKey | None = None) -> Self:
        """Make an authority. Made again of its key, it is the same to those who trust it."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        own_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        name = _name(f"{_NAME} authority {own_id.digest.hex()[:8]}")
        builder = (
            _builder(key, key, name, now)
            .issuer_name(name)
            .not_valid_after(now + _AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
        )
        return cls(key, builder.sign(key, SHA256()))

    def has_issued(self, certificate: x509.Certificate) -> bool:
        """Return whether a certificate is of this authority."""
        return pem.is_issued_by(certificate, self.certificate)

    def issue(self, names: Iterable[str], now: datetime) -> Server:
        """Return a new key of a server, with a certificate for it under these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        # Beyond its authority's it would mean nothing.
        end = min(now + _LIFE, self.certificate.not_valid_after_utc)
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = (
            _builder(key, self.key, _name(_NAME), now)
            .issuer_name(self.certificate.subject)
            .not_valid_after(end)
            .add_extension(alternatives, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(purpose, critical=False)
        )
        return Server(key, [builder.sign(self.key, SHA256())])


def is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    """Return whether a certificate is valid; one that was made with a wrong clock may not be."""
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc


def is_ageing(certificate: x509.Certificate, now: datetime) -> bool:
    """Return whether two thirds of a certificate's life are over."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now > begin + (end - begin) * 2 / 3


def _builder(
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    name: x509.Name,
    now: datetime,
) -> x509.CertificateBuilder:
    own_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LAG)
        .add_extension(own_id, critical=False)
        .add_extension(issuer_id, critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)
