"""TLS of the services as clients: whom they trust, and why a handshake failed."""

import ssl

_REASONS = {
    9: "the certificate is not valid yet: is the clock right?",
    10: "the certificate has expired",
    62: "the certificate is for other names",
    64: "the certificate is for other addresses",
}


def client_context(ca_file: str) -> ssl.SSLContext:
    """Return a context that trusts the authorities in a file; "": those of the system."""
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def plain_reason(error: Exception) -> str | None:
    """Return why a TLS handshake failed; None for an error that is no such failure."""
    if isinstance(error, ssl.SSLCertVerificationError):
        unknown = "the certificate is of an authority that is not trusted"
        return _REASONS.get(error.verify_code, unknown)
    if isinstance(error, ssl.SSLError):
        return "the other side speaks no TLS"
    return None
