"""How long, how large and how many: the limits of connections and of what they send."""

import resource
from typing import NamedTuple

# What the outbox, MQTT, logging and connections that are being refused need beside the others.
_OTHER_DESCRIPTORS = 200


class Limits(NamedTuple):
    """Times in seconds, sizes in bytes. docs/http.md describes what happens at each."""

    connections: int
    of_address: int  # of the connections, from one address; not of this machine's own
    head_s: float = 10  # from its first byte
    body_s: float = 30  # without progress
    request_s: float = 300  # a body in all
    idle_s: float = 75  # a device that posts once per minute need not connect each time
    unread_s: float = 30  # a response that the client does not read
    linger_s: float = 5  # so that a client which is still sending can read its refusal
    head_bytes: int = 16 << 10
    held_bytes: int = 64 << 20  # unfinished requests of all connections together
    sweep_s: float = 1
    shutdown_s: float = 3  # for requests under way


def connections_allowed(wanted: int) -> int:
    """Return how many connections the file descriptors allow, at most `wanted`.

    Raises the process's soft limit as far as that needs and its hard limit allows.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, wanted + _OTHER_DESCRIPTORS)
    soft = max(soft, min(wanted + _OTHER_DESCRIPTORS, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(wanted, soft - _OTHER_DESCRIPTORS))
