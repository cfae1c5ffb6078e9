"""What an answer of InfluxDB means for the points that were written."""

from enum import Enum, auto


class Meaning(Enum):
    """What to do after a write."""

    STORED = auto()
    REFUSED = auto()  # for good, at least one of them
    TOO_LARGE = auto()
    NO_DATABASE = auto()
    WAIT = auto()  # and write the same again


def meaning(status: int, body: str) -> Meaning:
    """Sort an answer to POST /write by its status and body.

    Only what InfluxDB documents as the points' own fault is REFUSED. Whatever else goes wrong, a
    wrong password or a proxy's 405 included, is mended outside, so it never costs a reading.
    Source: InfluxDB 1.x, services/httpd/handler.go, serveWrite.
    """
    match status:
        case 204:
            return Meaning.STORED
        case 400:
            return Meaning.REFUSED
        case 404 if "database not found" in body:
            return Meaning.NO_DATABASE
        case 413:
            return Meaning.TOO_LARGE
        case _:
            return Meaning.WAIT
