"""Which problem each reason for not accepting readings is."""

from http import HTTPStatus

from collector.access.identities import UnknownToken
from collector.access.identity import SensorForbidden
from collector.access.rates import RateExceeded
from collector.access.series import TooManySeries
from collector.http.origins import ForeignHost, ForeignOrigin, ForeignPassword
from collector.http.pages import PageClosed
from collector.http.problem import Problem
from collector.http.sender import TooManyFailures
from collector.intake.errors import InvalidReadings, NotJson, TooManyReadings
from collector.outbox.group_commit import OutboxBusy, OutboxFull
from collector.outbox.schema import OutboxUnusable

RETRY_AFTER_S = 5


REASONS = ("origin", "token", "sensor", "rate", "series", "connections")
_REASONS = {
    ForeignHost: "origin",
    ForeignOrigin: "origin",
    ForeignPassword: "origin",
    UnknownToken: "token",
    TooManyFailures: "token",
    PageClosed: "token",
    SensorForbidden: "sensor",
    RateExceeded: "rate",
    TooManySeries: "series",
}
_STATUSES = {
    NotJson: HTTPStatus.BAD_REQUEST,
    SensorForbidden: HTTPStatus.FORBIDDEN,
    TooManySeries: HTTPStatus.FORBIDDEN,
    TooManyReadings: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    OutboxUnusable: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def refusal(error: BaseException) -> Problem | None:
    """Return the problem that an error of intake, access or outbox is; None: it is unexpected."""
    match error:
        case Problem():
            return error
        case InvalidReadings():
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), errors=error.faults)
        case OutboxFull() | OutboxBusy():
            return unavailable(str(error))
        case RateExceeded():
            return slower(str(error), error.wait_s)
        case UnknownToken():
            headers = {"WWW-Authenticate": "Bearer"}
            return Problem(HTTPStatus.UNAUTHORIZED, str(error), headers=headers)
    status = _STATUSES.get(type(error))
    return Problem(status, str(error)) if status else None


def reason_of(error: BaseException) -> str | None:
    """Return as which of REASONS a refusal is counted; None: as none."""
    return _REASONS.get(type(error))


def slower(detail: str, wait_s: int) -> Problem:
    """Return the problem of a sender that must wait for `wait_s` seconds."""
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": str(wait_s)})


def unavailable(detail: str) -> Problem:
    """Return the problem of a request that may succeed later."""
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=headers)
