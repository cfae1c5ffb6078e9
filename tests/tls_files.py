"""Certificates of one's own, and a real handshake with what is in a directory."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from collector.access import certificates, pem
from collector.access.authority import Authority, Server


class Own:
    """An authority elsewhere, and the files that it gives: server.crt, server.key, ca.crt."""

    def __init__(self, directory: Path, *names: str, ago: timedelta = timedelta()) -> None:
        """Issue a certificate that long ago."""
        now = datetime.now(UTC)
        self.authority = Authority.new(now - timedelta(days=500))
        self.server: Server = self.authority.issue(names, now - ago)
        directory.mkdir(parents=True, exist_ok=True)
        self.cert, self.key, self.ca = (
            directory / name
            for name in (certificates.CERTIFICATE, certificates.KEY, certificates.AUTHORITY)
        )
        self.cert.write_bytes(pem.encoded(self.server.chain))
        self.key.write_bytes(pem.encoded_key(self.server.key))
        self.ca.write_bytes(pem.encoded([self.authority.certificate]))

    def encrypt(self) -> None:
        """Give the key a password."""
        password = BestAvailableEncryption(b"secret")
        self.key.write_bytes(
            self.server.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, password)
        )


def connect(directory: Path, name: str, ca: str | None = None) -> None:
    """Connect to a server with this certificate, expecting a name, and trusting a ca.crt.

    It is the directory's, or given as text. Raises ssl.SSLError.
    """
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(
        directory / certificates.CERTIFICATE, directory / certificates.KEY
    )
    context = ssl.create_default_context(
        cadata=ca or (directory / certificates.AUTHORITY).read_text()
    )
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    theirs.settimeout(10)

    def serve() -> None:
        try:
            server_context.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        context.wrap_socket(ours, server_hostname=name).close()
    finally:
        ours.close()
        thread.join()
