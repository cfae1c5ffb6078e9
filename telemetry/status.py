"""The status that each service publishes, retained, on status/<service>/<instance>."""

import msgspec

# Seconds between two statuses; a change of state is published at once.
INTERVAL_S = 2


class Status(msgspec.Struct, omit_defaults=True):
    """`state` is up, storing, waiting (with the reason) or offline; `counters` are numbers."""

    state: str
    reason: str | None = None
    counters: dict[str, int] = {}


OFFLINE = msgspec.json.encode(Status("offline"))
