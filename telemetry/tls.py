"""TLS: whom a client trusts, and why a handshake failed, in plain words."""

import ssl
from typing import NamedTuple

# X509_V_ERR_... of OpenSSL, as in ssl.SSLCertVerificationError.verify_code.
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21, 27}
_WRONG_NAME = {62, 64}
# What a port that speaks something else sends looks like this to OpenSSL, version by version.
_NO_TLS = {
    *("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"),
    *("HTTP_REQUEST", "RECORD_LAYER_FAILURE"),
}

ENDED = "TLS: the connection ended within the handshake; perhaps the port speaks no TLS"


class Tls(NamedTuple):
    """What a client checks: `ca` is a file with authorities, `name` is in the certificate."""

    ca: str
    name: str

    def context(self) -> ssl.SSLContext:
        """Return a context for one connection; the file is read again. Raises OSError."""
        return client_context(self.ca)


def client_context(ca: str) -> ssl.SSLContext:
    """Return a context that trusts the authorities in a PEM file; raises OSError with its name."""
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        reason = "not PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise OSError(f"{ca}: expected a file with certificates: {reason}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # From Python 3.13 on it would refuse many a private authority, for want of an extension.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def plain_reason(error: BaseException) -> str | None:
    """Return why a handshake failed as a client; None if the error is not of TLS."""
    match error:
        case ssl.SSLCertVerificationError(verify_code=code, verify_message=text):
            return f"TLS: its certificate {_fault(code, text)}"
        case ssl.SSLError(reason=str(reason)) if reason in _NO_TLS:
            return "TLS: the port speaks no TLS"
        case ssl.SSLEOFError():
            return ENDED
        case ssl.SSLError(reason=str(reason)):
            return f"TLS: {reason.lower().replace('_', ' ')}"
    return None


def _fault(code: int, text: str) -> str:
    if code in _WRONG_NAME:
        return f"has another name ({text.removesuffix('.')})"
    if code == _EXPIRED:
        return "has expired"
    if code == _NOT_YET_VALID:
        return "is not valid yet"
    if code in _UNKNOWN_AUTHORITY:
        return "is of an unknown authority"
    return f"is refused: {text}"
