"""Which problem each reason for not accepting readings is."""

from http import HTTPStatus

from collector.access.identity import SensorForbidden
from collector.access.tokens import UnknownToken
from collector.http.problem import Problem
from collector.intake.faults import MAX_FAULTS
from collector.intake.readings import InvalidReadings, NotJson
from collector.outbox.group_commit import OutboxBusy, OutboxFull

RETRY_AFTER_S = 5


def refusal(error: BaseException) -> Problem:
    """Return the problem details of an error of intake, access or outbox."""
    match error:
        case NotJson():
            return Problem(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}")
        case UnknownToken():
            headers = {"WWW-Authenticate": "Bearer"}
            return Problem(HTTPStatus.UNAUTHORIZED, str(error), headers=headers)
        case SensorForbidden():
            return Problem(HTTPStatus.FORBIDDEN, str(error))
        case InvalidReadings():
            return _invalid(error)
        case OutboxFull() | OutboxBusy():
            return unavailable(str(error))
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


def unavailable(detail: str) -> Problem:
    """Return the problem of a request that may succeed later."""
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=headers)


def _invalid(error: InvalidReadings) -> Problem:
    shown = f", the first {MAX_FAULTS} of its faults" if len(error.faults) == MAX_FAULTS else ""
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"not a valid reading, nothing was stored{shown}: {error}",
        errors=error.faults,
    )
