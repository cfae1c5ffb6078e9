"""The status that each service publishes, retained, on status/<service>/<instance>."""

import msgspec

# Seconds between two statuses; a change of state is published at once.
INTERVAL_S = 2


class Status(msgspec.Struct, omit_defaults=True):
    """The state of a service with its reason, and its counters.

    `state` is up (a collector), storing, refusing or waiting (a bridge), or offline.
    """

    state: str
    reason: str | None = None
    counters: dict[str, int] = {}


OFFLINE = msgspec.json.encode(Status("offline"))
