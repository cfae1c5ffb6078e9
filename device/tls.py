"""TLS as a device speaks it: whom it trusts, which name it expects, and why that failed."""

import ssl
from socket import socket

# OpenSSL's reasons for an answer that is no record of TLS.
NOT_TLS = {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
# OpenSSL's codes of verification, see `man X509_STORE_CTX_get_error`.
NOT_YET_VALID, EXPIRED = 9, 10
UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21}
OTHER_NAME = {62, 64}


class TlsError(ConnectionError):
    """Says in plain words why there is no connection by TLS."""


class Tls(ssl.SSLContext):
    """A context for clients that takes only `name` in a certificate, wherever it connects to."""

    name: str
    ca_file: str

    def wrap_socket(self, sock: socket, *_: object, **__: object) -> ssl.SSLSocket:
        """Shake hands; raises TlsError and, after the timeout of the socket, TimeoutError."""
        try:
            # Anew each time: the authorities may have been replaced while the device runs.
            return _trusting(self.ca_file).wrap_socket(sock, server_hostname=self.name)
        except (ssl.SSLError, ConnectionError) as error:
            raise TlsError(_reason(error, self.name)) from error
        finally:
            sock.close()  # no effect on what was handed over to the SSLSocket


def tls(name: str, ca_file: str = "") -> Tls:
    """Return the context for `name`; an empty `ca_file` stands for the system's authorities.

    Raises TlsError with the reason when the file cannot be read, or holds no certificate.
    """
    _trusting(ca_file)
    context = Tls(ssl.PROTOCOL_TLS_CLIENT)
    context.name, context.ca_file = name, ca_file
    return context


def _trusting(ca_file: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies the chain and the name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if ca_file:
            context.load_verify_locations(ca_file)
        else:
            context.load_default_certs()
    except ssl.SSLError:
        raise TlsError("expected a certificate (PEM)") from None
    except OSError as error:
        raise TlsError(error.strerror) from None
    return context


def _reason(error: OSError, name: str) -> str:
    match error:
        case TlsError():
            return f"--tls-ca: {error}"
        case ssl.SSLCertVerificationError():
            return _reason_of_certificate(error, name)
        case ssl.SSLError(reason=reason) if reason in NOT_TLS:
            return "the port speaks no TLS"
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError() | ConnectionError():
            return "closed during the TLS handshake; does the port speak TLS?"
        case ssl.SSLError(reason=str(reason)):
            return f"TLS failed: {reason.replace('_', ' ').lower()}"
        case _:
            return "TLS failed"


def _reason_of_certificate(error: ssl.SSLCertVerificationError, name: str) -> str:
    code = error.verify_code
    if code in OTHER_NAME:
        return f"the certificate is not for {name}: see --tls"
    if code in UNKNOWN_AUTHORITY:
        return "the certificate is of an unknown authority: see --tls-ca"
    if code == EXPIRED:
        return "the certificate has expired"
    if code == NOT_YET_VALID:
        return "the certificate is not valid yet; is the clock right?"
    return f"the certificate is not accepted: {error.verify_message}"
