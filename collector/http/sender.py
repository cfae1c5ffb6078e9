"""Who sends a request, and whether it may at this rate."""

from collector.access.identities import Identities, UnknownToken
from collector.access.identity import Identity
from collector.access.rates import RateExceeded, Rates
from collector.settings import Settings

_BURST_S = 10.0
_FAILURES_PER_S, _FAILURES_BURST_S = 1.0, 9.0  # ten at once


class TooManyFailures(RateExceeded):
    """An address has sent many requests without a known token; this is another."""


class Senders:
    """Identifies the senders of requests, and holds their rates."""

    def __init__(self, identities: Identities, settings: Settings) -> None:
        self._identities = identities
        self._rate_limit = settings.rate_limit
        self._rates = Rates(settings.rate_limit, _BURST_S) if settings.rate_limit else None
        self._failures = Rates(_FAILURES_PER_S, _FAILURES_BURST_S)

    def known(self, authorization: bytes, address: str) -> Identity:
        """Return who asks; raises UnknownToken or TooManyFailures.

        A known token is never refused for the failures of others behind its address.
        """
        try:
            return self._identities.identify(authorization)
        except UnknownToken as error:
            if wait_s := self._failures.wait_s(address):
                raise TooManyFailures(f"{error}; too many requests without one", wait_s) from None
            self._failures.spend(address)
            raise

    def identify(self, authorization: bytes, address: str) -> Identity:
        """Return the sender of readings; raises as `known` does, or RateExceeded."""
        identity = self.known(authorization, address)
        if self._rates and (wait_s := self._rates.wait_s(_key(identity, address))):
            detail = f"more than {self._rate_limit:g} readings per second (RATE_LIMIT)"
            raise RateExceeded(f"{detail}; nothing was stored", wait_s)
        return identity

    def spend(self, identity: Identity, address: str, count: int) -> None:
        """Count readings against the rate of their sender."""
        if self._rates:
            self._rates.spend(_key(identity, address), count)


def _key(identity: Identity, address: str) -> str:
    return identity.name or f"@{address}"  # which is no name
