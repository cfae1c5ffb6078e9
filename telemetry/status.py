"""What a service says of itself on status/<service>/<instance>, and in the database."""

import msgspec

from telemetry.reading import label_fault, tag

MEASUREMENT = "pipeline"
# How often a service says it; a change of state is said at once.
INTERVAL_S = 2


class Status(msgspec.Struct, omit_defaults=True):
    """`state` is up, storing, waiting (with the reason) or offline; `counters` are numbers."""

    state: str
    reason: str = ""
    counters: dict[str, int] = {}


OFFLINE = msgspec.json.encode(Status("offline"))


def line(service: str, instance: str, status: Status, ns: int) -> str:
    """Return the counters as a line of InfluxDB's line protocol, integers as such.

    Raises ValueError for names that do not fit into a line: whoever publishes may send any.
    """
    plain = all(map(str.isidentifier, status.counters))
    if label_fault(service) or label_fault(instance) or not plain:
        raise ValueError("service, instance and counters need plain names")
    fields = ",".join(f"{name}={number}i" for name, number in status.counters.items())
    return f"{MEASUREMENT},instance={tag(instance)},service={tag(service)} {fields} {ns}"
