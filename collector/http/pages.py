"""Who may see what there is beside POST /data, once others than this machine can reach the port."""

from http import HTTPStatus

from collector.access.identities import UnknownToken
from collector.http.head import Head
from collector.http.origins import Origins
from collector.http.problem import Problem
from collector.http.sender import Senders

_READERS = ("/", "/live", "/history", "/history.csv", "/metrics")
# What a page of another site may not read either, on a collector without identities.
_READINGS = ("/live", "/history", "/history.csv")
_FILES = "/page/"
# Health says nothing that a connection does not; /data has its own rules.
_FREE = ("/healthz", "/readyz", "/data")
_HOW = {
    True: "a reader: `./pipeline devices add NAME --reader`",
    False: "an identity: `./pipeline devices add`",
}


class PageClosed(Problem):
    """Somebody without the identity that a page needs asks for it."""


class Pages:
    """Refuses whatever is not free, so that a page which is added later is not open by mistake."""

    def __init__(self, senders: Senders, origins: Origins, *, opened: bool) -> None:
        self._senders = senders
        self._origins = origins
        self._opened = opened

    def check(self, head: Head, address: str) -> None:
        """Raise PageClosed, ForeignHost or TooManyFailures for a request that is refused."""
        if not self._opened and head.path in _READINGS:
            self._origins.check_host(dict(head.headers).get(b"host", b""))
        # A browser asks with OPTIONS, without its password, whether a page may ask.
        if not self._opened or head.path in _FREE or head.method == "OPTIONS":
            return
        needs_reader = head.path in _READERS or head.path.startswith(_FILES)
        authorization = dict(head.headers).get(b"authorization", b"")
        try:
            identity = self._senders.known(authorization, address)
        except UnknownToken:
            raise _unknown(head.path, needs_reader) from None
        if needs_reader and not identity.reader:
            detail = f"{identity.name} is not a reader; {head.path} needs {_HOW[True]}"
            raise PageClosed(HTTPStatus.FORBIDDEN, detail)


def _unknown(path: str, needs_reader: bool) -> PageClosed:
    detail = (
        f"{path[:100]} needs {_HOW[needs_reader]} makes one. Send Authorization: Bearer <token>;"
        " in a browser, the user is its name and the password its token"
    )
    # Browsers ask their users for nothing but this scheme.
    headers = {"WWW-Authenticate": 'Basic realm="collector", charset="UTF-8"'}
    return PageClosed(HTTPStatus.UNAUTHORIZED, detail, headers=headers)
