"""The certificates in TLS_DIR: made, renewed, or replaced by certificates of one's own.

A change is written beside the files first, and then takes their place. One that was interrupted is
finished or undone by the next.
"""

import contextlib
import fcntl
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from collector.access import pem
from collector.access.authority import Authority, Server, is_ageing, is_valid
from collector.access.register import replace
from telemetry.process import ServiceError

CERTIFICATE, KEY = "server.crt", "server.key"
AUTHORITY, AUTHORITY_KEY = "ca.crt", "ca.key"
# In the order in which they take their places. See `_finish`.
MODES = {AUTHORITY: 0o644, AUTHORITY_KEY: 0o600, KEY: 0o640, CERTIFICATE: 0o644}
"""The files and their modes; KEY is for the group of the directory, too."""
_LOCK = ".lock"
_NEW = ".new"
# Under which the parts of the pipeline know each other.
_OWN = ("localhost", "127.0.0.1", "::1", "collector", "broker", "dashboard")
T = TypeVar("T")


class CertificatesUnusable(ServiceError):
    """The certificates cannot be read or written; the text says why."""


def _now() -> datetime:
    return datetime.now(UTC)


def ensure(directory: Path, names: Sequence[str], clock: Callable[[], datetime] = _now) -> None:
    """See that there is a certificate: one's own, or one for `names` by an authority of ours.

    Ours is renewed when two thirds of its life are over, and when it has other names. Raises
    CertificatesUnusable.
    """
    wanted = dict.fromkeys([*names, *_OWN])
    with _changing(directory):
        now = clock()
        authority = _authority(directory, now)
        server = _server(directory, authority)
        if server and not (authority and authority.has_issued(server.chain[0])):
            return  # one's own
        is_whole = (directory / AUTHORITY).exists()
        if not (authority and is_valid(authority.certificate, now)):
            # Made again of its key, it is the same to those that know no time.
            authority = Authority.new(now, authority.key if authority else None)
        elif is_whole and server and _is_current(server, wanted, now):
            return
        _replace_all(
            directory,
            {
                AUTHORITY: pem.encoded([authority.certificate]),
                AUTHORITY_KEY: pem.encoded_key(authority.key),
                **_encoded(authority.issue(wanted, now)),
            },
        )


def install(directory: Path, server: Server, authority: Sequence[x509.Certificate]) -> None:
    """Replace everything by certificates of one's own; raises CertificatesUnusable."""
    with _changing(directory):
        _replace_all(directory, {AUTHORITY: pem.encoded(authority), **_encoded(server)})


def load(directory: Path) -> tuple[list[x509.Certificate], list[x509.Certificate]] | None:
    """Return the server's chain and the authorities that clients trust; None if there is none.

    Raises CertificatesUnusable.
    """
    chain = _read(directory / CERTIFICATE, pem.certificates)
    authorities = _read(directory / AUTHORITY, pem.certificates)
    return (chain, authorities or []) if chain else None


def _is_current(server: Server, wanted: Mapping[str, None], now: datetime) -> bool:
    """Return whether a certificate of our authority may stay."""
    certificate = server.chain[0]
    has_all = set(pem.names_of(certificate)) == wanted.keys()
    return has_all and is_valid(certificate, now) and not is_ageing(certificate, now)


def _authority(directory: Path, now: datetime) -> Authority | None:
    """Return the authority that is ours, if it is the one in the directory."""
    found = _read(directory / AUTHORITY, pem.certificates)
    key = _read(directory / AUTHORITY_KEY, pem.private_key)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    if found is None:
        return Authority.new(now, key)
    return Authority(key, found[0]) if pem.fits(key, found[0]) else None


def _server(directory: Path, authority: Authority | None) -> Server | None:
    """Return key and certificate; None if they have to be made.

    Raises CertificatesUnusable for an own certificate without its key.
    """
    chain = _read(directory / CERTIFICATE, pem.certificates)
    key = _read(directory / KEY, pem.private_key)
    if chain is None:
        return None
    if key is not None and pem.fits(key, chain[0]):
        return Server(key, chain)
    if authority and authority.has_issued(chain[0]):
        return None
    path = directory / KEY
    wrong = "is missing" if key is None else f"is not the key of {directory / CERTIFICATE}"
    raise CertificatesUnusable(
        f"{path} {wrong}: `certificates install` takes both; without the two, new ones are made"
    )


def _encoded(server: Server) -> dict[str, bytes]:
    return {KEY: pem.encoded_key(server.key), CERTIFICATE: pem.encoded(server.chain)}


def _read(path: Path, decode: Callable[[bytes], T]) -> T | None:
    """Return what is in a file; None if there is no file. Raises CertificatesUnusable."""
    try:
        return decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CertificatesUnusable(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise CertificatesUnusable(
            f"{path} is damaged: {error}; restore it, or remove {CERTIFICATE} and {KEY}, and"
            f" {AUTHORITY_KEY} if it is that, to have new ones made"
        ) from None


@contextlib.contextmanager
def _changing(directory: Path) -> Iterator[None]:
    """Let one process at a time change the files, after what another one may have left."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (directory / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _finish(directory)
            yield
    except OSError as error:
        raise CertificatesUnusable(f"{directory}: {error.strerror}") from None


def _replace_all(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write files that are there all or not at all, whenever the machine stops."""
    for name, mode in MODES.items():
        if name in files:
            replace(directory / f"{name}{_NEW}", files[name], mode)
    _finish(directory)


def _finish(directory: Path) -> None:
    """Let new files take their places if all of them are written, which the last one shows."""
    new = {name: directory / f"{name}{_NEW}" for name in MODES}
    if not new[CERTIFICATE].exists():
        for path in new.values():
            path.unlink(missing_ok=True)
        return
    # An authority without a key is not ours, whose key goes. Before the key takes its place.
    if new[AUTHORITY].exists() and not new[AUTHORITY_KEY].exists():
        (directory / AUTHORITY_KEY).unlink(missing_ok=True)
    for name, path in new.items():
        if path.exists():
            path.replace(directory / name)
