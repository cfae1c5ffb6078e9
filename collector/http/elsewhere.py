"""404 and 405: what was asked for is not here, and what is."""

from difflib import get_close_matches
from http import HTTPStatus

from collector.http.problem import Problem

METHODS = {
    "/data": "POST",
    "/": "GET",
    "/live": "GET",
    "/history": "GET",
    "/history.csv": "GET",
    "/healthz": "GET",
    "/readyz": "GET",
    "/metrics": "GET",
    "/docs": "GET",
    "/openapi.json": "GET",
}
_MAX_SHOWN = 100


def not_found(path: str) -> Problem:
    """Return the problem of an unknown path: with the one that may be meant, and all there are."""
    shown = path if len(path) <= _MAX_SHOWN else path[:_MAX_SHOWN] + "…"
    meant = "".join(f" Did you mean {METHODS[near]} {near}?" for near in _near(path))
    known = ", ".join(f"{method} {known}" for known, method in METHODS.items())
    return Problem(HTTPStatus.NOT_FOUND, f"there is no {shown}.{meant} There is: {known}")


def not_allowed(path: str, method: str) -> Problem:
    """Return the problem of a method that a known path does not have."""
    works = METHODS.get(path, "GET")
    allow = "GET, HEAD" if works == "GET" else works
    detail = f"{path} does not take {method[:_MAX_SHOWN]}; send {works} {path}"
    return Problem(HTTPStatus.METHOD_NOT_ALLOWED, detail, headers={"Allow": allow})


def _near(path: str) -> list[str]:
    return get_close_matches(path[:_MAX_SHOWN].lower(), METHODS, n=1)
