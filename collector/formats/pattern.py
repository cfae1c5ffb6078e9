"""The topics of a rule: a pattern with named levels, such as `tele/{sensor}/SENSOR`."""

import re
from fnmatch import translate

from telemetry import topics

# What the pipeline itself writes, and devices/, which has its own reader. In a pattern whose first
# level may be anything these levels never match.
RESERVED = frozenset(root.rstrip("/") for root in topics.ROOTS)
_OWN = ("readings/+/+", "receipts/+")  # what is written there in numbers; the others are alike

# {name}, {name:beginning*} or, at the end of a pattern, {name...}
_LEVEL = re.compile(r"\{(?P<name>[a-z_]+)(?:(?P<rest>\.\.\.)|:(?P<beginning>[^{}*+#]+)\*)?\}")
# Brokers close the connection on a filter with a control character, or with very many levels.
_MAX_CHARACTERS = 200
_EXPECTED = "expected levels such as tele, {sensor}, {sensor:shelly*} or, last, {sensor...}"


class Pattern:
    """A pattern of topics; `filter` is the MQTT filter that delivers them."""

    def __init__(self, text: str, skipped: list[str]) -> None:
        """Compile a pattern; `skipped` are topics that do not match (* is any text).

        Raises ValueError saying what was expected.
        """
        if len(text) > _MAX_CHARACTERS or not text.isprintable():
            raise ValueError(f"expected at most {_MAX_CHARACTERS} printable characters")
        levels = [_level(level) for level in text.split("/")]
        names = [name for _, _, name in levels if name]
        if len(set(names)) < len(names):
            raise ValueError("expected each name once")
        if any(part == "#" for part, _, _ in levels[:-1]):
            raise ValueError("expected {name...} at the end only")
        self.text = text
        self.filter = "/".join(part for part, _, _ in levels)
        self.names = frozenset(names)
        _check_own(text.split("/", maxsplit=1)[0], self.filter)
        self._regex = re.compile("/".join(regex for _, regex, _ in levels))
        self._skipped = re.compile("|".join(map(glob, skipped))) if skipped else None

    def match(self, topic: str) -> dict[str, str] | None:
        """Return the text of each named level; None if the topic does not match."""
        found = self._regex.fullmatch(topic)
        if found is None or topic.partition("/")[0] in RESERVED:
            return None
        if self._skipped and self._skipped.match(topic):
            return None
        return found.groupdict()


def _level(text: str) -> tuple[str, str, str]:
    """Return the level of the filter, its regular expression and its name, if it has one."""
    found = _LEVEL.fullmatch(text)
    if found is None:
        if not text or any(character in text for character in "{}+#*"):
            raise ValueError(_EXPECTED)
        return text, re.escape(text), ""
    name, rest, beginning = found.group("name", "rest", "beginning")
    if rest:
        return "#", f"(?P<{name}>[^/].*)", name
    one = f"{re.escape(beginning)}[^/]*" if beginning else "[^/]+"
    return "+", f"(?P<{name}>{one})", name


def _check_own(first: str, filter_: str) -> None:
    """Raise ValueError if the broker would send what the pipeline itself has written."""
    if first in RESERVED or first.startswith("$"):
        raise ValueError(f"expected a topic of devices; {first}/ is not theirs")
    # With a fixed second level it would be readings of one sensor, if there is one of that name.
    is_open = filter_[0] == "#" or filter_.startswith(("+/+", "+/#"))
    if is_open and any(_meet(filter_, own) for own in _OWN):
        raise ValueError(
            "expected a fixed first or second level: else the broker would send the pipeline's own"
            " topics, too"
        )


def _meet(one: str, other: str) -> bool:
    """Return whether some topic matches both filters."""
    ones, others = one.split("/"), other.split("/")
    for a, b in zip(ones, others, strict=False):
        if "#" in (a, b):
            return True
        if a != b and "+" not in (a, b):
            return False
    return len(ones) == len(others)


def glob(text: str) -> str:
    """Return the regular expression of a text in which * is any text, and nothing else special."""
    return translate(re.sub(r"([\[?])", r"[\1]", text))


def without_covered(filters: list[str]) -> list[str]:
    """Return the filters without those of which another one delivers everything."""
    return [
        one
        for number, one in enumerate(filters)
        if not any(
            _covers(other, one) and (number > earlier or not _covers(one, other))
            for earlier, other in enumerate(filters)
            if earlier != number
        )
    ]


def _covers(wide: str, narrow: str) -> bool:
    wides, narrows = wide.split("/"), narrow.split("/")
    for a, b in zip(wides, narrows, strict=False):
        if a == "#":
            return True
        if b == "#" or a not in (b, "+"):
            return False
    return len(wides) == len(narrows) or wides[len(narrows) :] == ["#"]
