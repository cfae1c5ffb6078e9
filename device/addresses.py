"""The addresses of a name: when one fails, the next is tried at once."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

Address = tuple[str, int]


class Addresses:
    """All addresses that the name `host` has; the one that failed last is tried last."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host.removeprefix("[").removesuffix("]")
        self._port = port
        self._failed: dict[Address, float] = {}
        self._current: Address | None = None

    def connect(self, timeout: float, connect: Callable[[Address, float], T]) -> T:
        """Return what `connect` returns for the first address with which it does not fail.

        It gets an address and the seconds that it may take; all share `timeout`. Raises OSError of
        one of them, as `connect` does, when all fail.
        """
        deadline = time.monotonic() + timeout
        errors = []
        addresses = self._resolve()
        for number, address in enumerate(addresses):
            share = (deadline - time.monotonic()) / (len(addresses) - number)
            self._current = address
            try:
                return connect(address, max(share, 0.001))
            except OSError as error:
                self.failed()
                errors.append(error)
        # What was said by a server, or about it, tells more than what the kernel says.
        raise next((error for error in errors if _is_telling(error)), errors[0])

    @property
    def several(self) -> bool:
        """Whether the name had more than one address when it was last connected to."""
        return len(self._failed) > 1

    def failed(self) -> None:
        """Note that the address connected to last does not work: others are tried before it."""
        if self._current is not None:
            self._failed[self._current] = time.monotonic()

    def _resolve(self) -> list[Address]:
        # Each time: a name may get other addresses while the device runs.
        found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        names = [socket.getnameinfo(address, numeric) for *_, address in found]
        addresses = [(host, int(port)) for host, port in names]
        self._failed = {one: self._failed.get(one, 0.0) for one in addresses}
        return sorted(self._failed, key=self._failed.__getitem__)


def _is_telling(error: OSError) -> bool:
    return isinstance(error, ConnectionError) and error.strerror is None
