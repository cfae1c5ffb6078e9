"""Certificates of an authority elsewhere, as files."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from collector.access import authority, pem

DAY = timedelta(days=1)


class Authority:
    """A private authority; `path` is its certificate (PEM), to be trusted or not."""

    def __init__(self, directory: Path) -> None:
        """Make it in `directory`; each needs a directory of its own."""
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "ca.crt"
        self._directory = directory
        self._authority = authority.Authority.new(datetime.now(UTC) - 500 * DAY)
        self._issued = 0
        self.path.write_bytes(pem.encoded([self._authority.certificate]))

    def issue(self, *names: str, expired: bool = False, early: bool = False) -> tuple[Path, Path]:
        """Return the files of a server's certificate for `names`, with its chain, and of its key.

        A name may be an address. With `expired`, the certificate was valid until some days ago,
        with `early` it will be from tomorrow on.
        """
        self._issued += 1
        at = datetime.now(UTC) + (2 * DAY if early else -400 * DAY if expired else 0 * DAY)
        key, chain = self._authority.issue(names, at)
        chain_path = self._directory / f"server{self._issued}.crt"
        key_path = self._directory / f"server{self._issued}.key"
        chain_path.write_bytes(pem.encoded([*chain, self._authority.certificate]))
        key_path.write_bytes(pem.encoded_key(key))
        return chain_path, key_path
