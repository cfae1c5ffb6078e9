"""What brokers cannot carry: topics that they refuse, or deliver as others.

Found by trying each printable character on each of them; see docs/brokers.md.
"""

import unicodedata
from collections.abc import Callable
from functools import lru_cache

Rule = Callable[[str], str | None]
"""Returns why a broker cannot carry a level of a topic, or None if it can."""


# The vowels Sara Am and Am, the halfwidth sound marks, and the colours of emoji.
_ALSO_COMBINING = "\u0e33\u0eb3\uff9e\uff9f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"


def _nats(level: str) -> str | None:
    if " " in level:
        return "must have no space, at which NATS closes the connection"
    if level in ("*", ">"):
        return "must not be * or >, for which NATS delivers the messages of others"
    return None


def _rabbitmq(level: str) -> str | None:
    for character, becomes in ((".", "/"), ("*", "+")):
        if character in level:
            return f"must have no {character}, which RabbitMQ delivers as {becomes}"
    # RabbitMQ splits topics between graphemes: the / before such a character is part of one.
    if level and (unicodedata.category(level[0]).startswith("M") or level[0] in _ALSO_COMBINING):
        return "must not begin with a combining character, with which RabbitMQ does not deliver it"
    return None


BROKERS: dict[str, Rule | None] = {"mosquitto": None, "nats": _nats, "rabbitmq": _rabbitmq}


@lru_cache(maxsize=65536)
def topic_fault(broker: str, topic: str) -> str | None:
    """Return why the broker cannot carry a topic, or None if it can."""
    if not (rule := BROKERS[broker]):
        return None
    return next((f"{level!r} {why}" for level in topic.split("/") if (why := rule(level))), None)
