"""The OpenAPI document: POST /data is no route of FastAPI's, which could derive little anyway."""

from datetime import datetime
from typing import Any

from collector.http.problem import MEDIA_TYPE
from collector.http.reading_schema import READING, schemas
from collector.intake.errors import MAX_READINGS
from collector.intake.explanation import MAX_FAULTS
from collector.live.history import MAX_SERIES, RANGES
from telemetry import __version__

_ACCEPTED = {"$ref": "#/components/schemas/Accepted"}
_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_BATCH = {"type": "array", "items": READING, "minItems": 1, "maxItems": MAX_READINGS}
_RETRY_AFTER = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
_ANY_REQUEST = {
    "400": "not an HTTP/1.0 or 1.1 request",
    "408": "the request has not arrived in time",
    "431": "the head is larger than 16 KiB",
    "429": "too many connections are open from this address",
    "501": "another transfer coding than chunked",
    "503": "too many connections or unfinished requests, or the collector is stopping",
}


def document(now: datetime) -> dict[str, Any]:
    """Return the OpenAPI document as it is at `now`, in UTC."""
    parts = {"Accepted": _accepted_schema(), "Problem": _problem_schema()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Collector",
            "version": __version__,
            "description": "Accepts readings; what it answers with 201 will be in InfluxDB.",
        },
        "paths": {
            "/data": {"post": _post()},
            "/": {"get": _get("The page, which shows /live and /history", "HTML", "text/html")},
            "/live": {
                "get": _get(
                    "What is on the broker, as it changes",
                    "events `readings` and `pipeline`, without end",
                    "text/event-stream",
                    **{"503": "too many viewers"},
                )
            },
            "/history": {"get": _get_history("Points for a chart, by series", "application/json")},
            "/history.csv": {"get": _get_history("Readings as a table", "text/csv")},
            "/healthz": {"get": _get("Whether the process answers", "alive")},
            "/readyz": {"get": _get_readyz()},
            "/metrics": {"get": _get("Metrics for Prometheus", "text, or that of OpenMetrics")},
        },
        "components": {"schemas": schemas(now) | parts},
    }


def _post() -> dict[str, Any]:
    return {
        "operationId": "post_readings",
        "summary": "Post readings",
        "description": (
            "One reading, an array, or NDJSON; all are accepted or none. Content-Encoding: gzip is"
            " supported. The response is sent once the readings are on disk."
        ),
        "parameters": [
            {
                "name": "ack",
                "in": "query",
                "schema": {"type": "string", "enum": ["committed", "stored"]},
                "description": "stored: respond once InfluxDB has them, or after a time limit, 202",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"anyOf": [READING, _BATCH]}},
                "application/x-ndjson": {
                    "schema": {
                        "type": "string",
                        "description": f"one reading per line, at most {MAX_READINGS}",
                    }
                },
            },
        },
        "responses": {
            "201": {
                "description": "accepted: `Created` for one reading, the count for a batch",
                "content": {
                    "text/plain": {"schema": {"type": "string", "const": "Created"}},
                    "application/json": {"schema": _ACCEPTED},
                },
            },
            "202": {
                "description": "ack=stored: accepted, but not yet in InfluxDB",
                "content": {"application/json": {"schema": _ACCEPTED}},
            },
            **_problems(
                {
                    **_ANY_REQUEST,
                    "400": "not JSON, empty, a member twice, broken gzip, an unknown query",
                    "401": "tokens are configured, and the request has none of them",
                    "403": "the token is for other sensors, the sender has too many series already,"
                    " or a web page of another site sends this",
                    "413": "the body is too large, as sent or inflated, or has too many readings",
                    "415": "another media type or encoding",
                    "422": f"not valid readings: the first {MAX_FAULTS} faults by index and field",
                    "429": "the sender has sent too much, or its address has sent too many requests"
                    " without a known token or has too many connections",
                    "500": "the disk has failed, or an unforeseen error; send it again",
                    "503": "the outbox or the disk is full, or the collector has too much to do",
                }
            ),
        },
    }


def _get(
    summary: str, content: str, media_type: str = "text/plain", **problems: str
) -> dict[str, Any]:
    text = {"description": content, "content": {media_type: {"schema": {"type": "string"}}}}
    return {"summary": summary, "responses": {"200": text, **_problems(_ANY_REQUEST | problems)}}


def _get_history(summary: str, media_type: str) -> dict[str, Any]:
    problems = {
        "400": "a parameter that is missing or unknown, or too many series",
        "422": "a range, or a series, that cannot be",
        "503": "InfluxDB does not answer, or too many ask",
    }
    described = _get(summary, "what InfluxDB holds", media_type, **problems)
    if media_type != "text/csv":
        described["responses"]["200"]["content"][media_type]["schema"] = {
            "type": "object",
            "additionalProperties": {
                "type": "array",
                "description": "of points: ms since 1970, mean, least, greatest",
                "items": {"type": "array", "items": {"type": "number"}},
            },
        }
    series = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_SERIES}
    described["parameters"] = [
        {
            "name": "series",
            "in": "query",
            "required": True,
            "schema": series,
            "description": "<sensor_id>/<type>, several by repetition",
        },
        {
            "name": "range",
            "in": "query",
            "required": True,
            "schema": {"type": "string", "enum": list(RANGES)},
        },
    ]
    return described


def _get_readyz() -> dict[str, Any]:
    summary = "Whether readings are accepted and published"
    reasons = (
        "the broker cannot be reached, an outbox is full, or a worker does not answer;"
        " `detail` says which"
    )
    return _get(summary, "ready", **{"503": reasons})


def _problems(descriptions: dict[str, str]) -> dict[str, Any]:
    return {
        status: {
            "description": description,
            "content": {MEDIA_TYPE: {"schema": _PROBLEM}},
            **({"headers": _RETRY_AFTER} if status in ("429", "503") else {}),
        }
        for status, description in sorted(descriptions.items())
    }


def _accepted_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["accepted"],
        "properties": {"accepted": {"type": "integer"}, "stored": {"type": "boolean"}},
    }


def _problem_schema() -> dict[str, Any]:
    fault = {
        "type": "object",
        "required": ["index", "detail"],
        "properties": {
            "index": {"type": "integer", "description": "position in the batch, from 0"},
            "line": {"type": "integer", "description": "NDJSON: line in the body, from 1"},
            "field": {"type": "string"},
            "value": {"type": "string", "description": "the JSON sent, shortened"},
            "detail": {"type": "string"},
        },
    }
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {"type": "array", "items": fault},
        },
    }
