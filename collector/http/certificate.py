"""The certificate of the HTTP server, as it is now in its directory."""

import asyncio
import logging
import ssl
from pathlib import Path

from telemetry.settings import SettingError

logger = logging.getLogger(__name__)

CERTIFICATE, KEY = "server.crt", "server.key"
_LOOK_S = 1

Version = tuple[tuple[int, int], ...]


class Certificate:
    """Gives each new connection a context with the newest certificate that can be used.

    Raises SettingError if there is none at the start.
    """

    def __init__(self, directory: Path, setting: str) -> None:
        self._directory = directory
        self._seen: Version | None = None
        self._trouble = ""
        try:
            self._seen = self._version()
            self.context = self._load()
        except OSError as error:
            raise SettingError("TLS", setting, f"expected {self._reason(error)}") from None

    async def watch(self) -> None:
        """Take up a change of the files within a second, for ever."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self.refresh()

    def refresh(self) -> None:
        """Take up a change of the files, unless they cannot be used yet."""
        try:
            version = self._version()
            if version == self._seen:
                return
            self.context = self._load()
        except OSError as error:
            if (trouble := self._reason(error)) != self._trouble:
                self._trouble = trouble
                logger.warning("the certificate stays as it was; expected %s", trouble)
            return
        self._seen, self._trouble = version, ""
        logger.info("a new certificate from %s", self._directory)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        # With a key that asks for a password OpenSSL would ask the terminal.
        context.load_cert_chain(
            self._directory / CERTIFICATE, self._directory / KEY, password=lambda: ""
        )
        return context

    def _version(self) -> Version:
        found = ((self._directory / name).stat() for name in (CERTIFICATE, KEY))
        return tuple((file.st_ino, file.st_mtime_ns) for file in found)

    def _reason(self, error: OSError) -> str:
        files = f"{CERTIFICATE} and {KEY} in {self._directory}, which belong together"
        return f"{files}: {getattr(error, 'reason', None) or error.strerror}"
