"""The status that each service publishes, retained, on status/<service>/<instance>."""

import msgspec

from telemetry.decode import boundary

# Seconds between two statuses; a change of state is published at once.
INTERVAL_S = 2


class Letter(msgspec.Struct):
    """A dead letter, shortened: when (RFC 3339) and on which topic, why, and the payload."""

    at: str
    topic: str
    reason: str
    payload: str


class Status(msgspec.Struct, omit_defaults=True):
    """The state of a service with its reason, its counters and its last dead letters.

    `state` is up (a collector), storing, refusing or waiting (a bridge), or offline.
    """

    state: str
    reason: str | None = None
    counters: dict[str, int] = {}
    dead_letters: list[Letter] = []


decode_status = boundary(msgspec.json.Decoder(Status).decode)
"""Decode a status; raises Unreadable."""

OFFLINE = msgspec.json.encode(Status("offline"))
