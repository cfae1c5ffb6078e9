"""How POST /data is described: it is no FastAPI route, so FastAPI cannot derive it."""

from typing import Any

from collector.problem import MEDIA_TYPE
from telemetry.reading import MAX_LABEL, MAX_SENSOR_ID

_LABEL = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_LABEL,
    # Controls and separators are named; characters that Unicode has not assigned are too many.
    "not": {
        "pattern": r"^\$|\\$|[/+#\u0000-\u001f\u007f-\u00a0"
        r"\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
    },
    "description": "printable, without / + #, not beginning with $, not ending with a backslash",
}

_READING: dict[str, Any] = {
    "type": "object",
    "required": ["type", "value", "sensor_id"],
    "additionalProperties": False,
    "properties": {
        "ts": {
            "type": "string",
            "format": "date-time",
            "description": "RFC 3339 with an offset, to the nanosecond; absent: now",
        },
        "type": _LABEL,
        "value": {"type": "number", "description": "finite; stored as a 64-bit float"},
        "sensor_id": {
            "anyOf": [{"type": "integer", "minimum": 0, "maximum": MAX_SENSOR_ID}, _LABEL]
        },
    },
    "example": {"ts": "2026-01-31T12:00:00Z", "type": "temp", "value": 21, "sensor_id": 123},
}

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "maxItems": 100,
            "items": {
                "type": "object",
                "required": ["index", "detail"],
                "properties": {
                    "index": {"type": "integer", "description": "place in the batch, from 0"},
                    "field": {"type": "string"},
                    "value": {"type": "string", "description": "what was sent, shortened"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}

_COUNT = {
    "type": "object",
    "required": ["accepted"],
    "properties": {"accepted": {"type": "integer"}, "stored": {"type": "boolean"}},
}


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}


DATA: dict[str, Any] = {
    "post": {
        "summary": "Post readings",
        "description": (
            "One reading, an array, or NDJSON; all are stored or none. Content-Encoding: gzip is"
            " understood. The answer comes once the readings are on disk."
        ),
        "parameters": [
            {
                "name": "ack",
                "in": "query",
                "schema": {"type": "string", "enum": ["committed", "stored"]},
                "description": "stored: answer when InfluxDB has them, or 202 after a bounded wait",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"anyOf": [_READING, {"type": "array", "items": _READING}]}
                },
                "application/x-ndjson": {
                    "schema": {"type": "string", "description": "a reading on each line"}
                },
            },
        },
        "responses": {
            "201": {
                "description": "kept: `Created` for one reading, the number for a batch",
                "content": {
                    "text/plain": {"schema": {"type": "string", "const": "Created"}},
                    "application/json": {"schema": _COUNT},
                },
            },
            "202": {
                "description": "ack=stored: kept, but not yet in InfluxDB",
                "content": {"application/json": {"schema": _COUNT}},
            },
            "400": _problem("not JSON, broken gzip, or an unknown query"),
            "401": _problem("tokens are configured and none that is known was sent"),
            "403": _problem("the token is for other sensors"),
            "413": _problem("the body is too large, as sent or inflated"),
            "415": _problem("another media type or encoding"),
            "422": _problem("not a valid reading: the first 100 faults by index and field"),
            "503": {
                **_problem("the outbox or the disk is full"),
                "headers": {"Retry-After": {"schema": {"type": "integer"}}},
            },
        },
    }
}
