"""The description of POST /data: not a FastAPI route, so FastAPI cannot derive it."""

from typing import Any

import msgspec

from collector.http.problem import MEDIA_TYPE
from collector.intake.errors import MAX_READINGS
from telemetry.reading import Reading

_READING: dict[str, Any] = msgspec.json.schema_components([Reading])[1]["Reading"] | {
    "example": {"ts": "2026-01-31T12:00:00Z", "type": "temp", "value": 21, "sensor_id": 123}
}

_BATCH = {"type": "array", "items": _READING, "minItems": 1, "maxItems": MAX_READINGS}

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
                    "index": {"type": "integer", "description": "position in the batch, from 0"},
                    "line": {"type": "integer", "description": "NDJSON: line in the body, from 1"},
                    "field": {"type": "string"},
                    "value": {"type": "string", "description": "the JSON sent, shortened"},
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
                "application/json": {"schema": {"anyOf": [_READING, _BATCH]}},
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
                    "application/json": {"schema": _COUNT},
                },
            },
            "202": {
                "description": "ack=stored: accepted, but not yet in InfluxDB",
                "content": {"application/json": {"schema": _COUNT}},
            },
            "400": _problem("not JSON, empty, a member twice, broken gzip, an unknown query"),
            "401": _problem("tokens are configured, and the request has none of them"),
            "403": _problem("the token is for other sensors"),
            "408": _problem("the request has not arrived in time"),
            "413": _problem("the body is too large, as sent or inflated, or has too many readings"),
            "415": _problem("another media type or encoding"),
            "422": _problem("not a valid reading: the first 100 faults by index and field"),
            "431": _problem("the head is too large"),
            "501": _problem("another transfer coding than chunked"),
            "503": {
                **_problem("the outbox or the disk is full, or the collector has too much to do"),
                "headers": {"Retry-After": {"schema": {"type": "integer"}}},
            },
        },
    }
}
