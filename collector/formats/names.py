"""Names of devices and members: made to fit, and put together by templates."""

import re
from collections.abc import Iterable, Mapping

from telemetry.reading import FORBIDDEN, MAX_LABEL

NAME = re.compile(r"[a-z_]+")
_BRACED = re.compile(rf"\{{({NAME.pattern})\}}")


def fitted(name: str) -> str:
    """Return a name as a sensor_id or a type may have it.

    What must not stand there (see `label_fault`) becomes _; what is too long is cut.
    """
    kept = "".join("_" if c in FORBIDDEN or not c.isprintable() else c for c in name[:MAX_LABEL])
    if kept.startswith("$"):
        kept = "_" + kept[1:]
    if kept.endswith("\\"):
        kept = kept[:-1] + "_"
    return kept or "_"


class Template:
    """A text with names in braces, such as `{model}-{id}`."""

    def __init__(self, text: str, known: Iterable[str]) -> None:
        """Raise ValueError for a name that is not known, or a brace that belongs to none."""
        self._text = text
        self.names = frozenset(_BRACED.findall(text))
        if not text or self.names - set(known) or set("{}") & set(_BRACED.sub("", text)):
            braced = ", ".join(f"{{{name}}}" for name in sorted(known))
            raise ValueError(f"expected a text with no other names than {braced}")

    def fill(self, names: Mapping[str, str]) -> str:
        """Return the text with the names filled in, made to fit."""
        return fitted(_BRACED.sub(lambda found: names[found[1]], self._text))
