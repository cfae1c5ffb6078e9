"""One rule of a format: which topics, and how their payloads become readings."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from jmespath.exceptions import JMESPathError
from msgspec import UNSET, UnsetType

from collector.formats.names import NAME, Template
from collector.formats.numbers import leaves, number
from collector.formats.paths import Path
from collector.formats.pattern import Pattern, glob
from collector.formats.payload import json_of, shown, text_of
from collector.formats.schema import RuleError, RuleText
from collector.formats.times import rfc3339
from telemetry.reading import Reading, is_finite

_MAX_READINGS = 1000
_MAX_MEMBERS = 5_000  # each name is compared with `only` and `skip`, which takes its time
_MEMBER = "{member}"
_OF_JSON = (
    *("when", "names", "time", "members", "values", "only", "skip"),
    *("booleans", "numeric_texts"),
)

T = TypeVar("T")
Found = tuple[Template, str, object]
"""How the type of a value is put together, the member's name in it, and the value."""


class Extract(NamedTuple):
    """The readings of a message, and how many of its values are no numbers."""

    readings: list[Reading]
    skipped: int


class Rule:
    """A compiled rule."""

    def __init__(self, text: RuleText, zone: ZoneInfo) -> None:
        """Compile a rule; `zone` is that of times without an offset. Raises RuleError."""
        _check_keys(text)
        self._text = text
        self._zone = zone
        self.pattern = _made("topic", text.topic, lambda: Pattern(text.topic, text.skip_topics))
        _check_names([*self.pattern.names, "member"], list(text.names))
        self._names = {key: Path(f"names.{key}", path) for key, path in text.names.items()}
        known = {*self.pattern.names, *text.names}
        self._sensor = _template("sensor", text.sensor, known)
        self._when = Path("when", text.when) if text.when else None
        self._time = Path("time", text.time) if text.time else None
        self._values = [
            (_template("values", type_, known), Path(f"values.{type_}", path))
            for type_, path in text.values.items()
        ]
        for word, value in text.words.items():
            if not is_finite(value):
                raise RuleError(f"words.{word}", value, "expected a finite number")
        self._is_json = text.payload == "json"
        self._members = self._type = None
        if not self._is_json:
            self._type = _template("type", text.type or "{type}", known)
        elif text.members or not text.values:
            self._members = Path("members", text.members or "@")
            self._type = _template("type", text.type or _MEMBER, {*known, "member"})
            if "member" not in self._type.names:
                raise RuleError("type", text.type, f"expected {_MEMBER} in it, the member's name")
        self._only, self._skip = _any_of(text.only), _any_of(text.skip)

    def read(self, names: dict[str, str], payload: bytes) -> Extract:
        """Return the readings of a message whose topic gave these names.

        Raises ValueError, or what a JMESPath expression raises, for a message that is broken.
        """
        if not self._is_json:
            assert self._type  # noqa: S101  a text has no `values`
            return self._extract(names, UNSET, [(self._type, "", text_of(payload))])
        document = json_of(payload)
        if self._when and self._when.search(document) is not True:
            return Extract([], 0)
        names = names | {key: path.text(document) for key, path in self._names.items()}
        return self._extract(names, self._ts(document), self._found(document))

    def _ts(self, document: object) -> str | UnsetType:
        found = self._time.search(document) if self._time else None
        return UNSET if found is None else rfc3339(found, self._zone) or UNSET

    def _found(self, document: object) -> Iterator[Found]:
        if self._members and self._type:
            members = self._members.search(document)
            if not isinstance(members, dict | None):
                raise ValueError(f'expected a JSON object, such as {{"t": 2.5}}{shown(members)}')
            for count, (name, value) in enumerate(leaves(members or {})):
                if count == _MAX_MEMBERS:
                    raise ValueError(f"expected at most {_MAX_MEMBERS} members in one message")
                if self._is_wanted(name):
                    yield self._type, name, value
        for type_, path in self._values:
            try:
                value = path.search(document)
            except JMESPathError:  # not what it is for, as a text among numbers
                yield type_, "", ""
            else:
                if value is not None:
                    yield type_, "", value

    def _is_wanted(self, name: str) -> bool:
        if self._only and not self._only.match(name):
            return False
        return not (self._skip and self._skip.match(name))

    def _extract(
        self, names: dict[str, str], ts: str | UnsetType, values: Iterable[Found]
    ) -> Extract:
        sensor = self._sensor.fill(names)
        readings: dict[str, Reading] = {}
        skipped = 0
        texts = self._text.numeric_texts or not self._is_json
        for template, member, value in values:
            found = number(value, self._text.words, booleans=self._text.booleans, texts=texts)
            if found is None:
                skipped += 1
                continue
            type_ = template.fill({**names, "member": member})
            if type_ in readings and not member:  # the message has a member of that name itself
                continue
            if type_ in readings:
                raise ValueError(f"expected values with different names; two are {type_!r}")
            if len(readings) == _MAX_READINGS:
                raise ValueError(f"expected at most {_MAX_READINGS} values in one message")
            readings[type_] = Reading(ts=ts, type=type_, value=found, sensor_id=sensor)
        return Extract(list(readings.values()), skipped)


def _check_keys(text: RuleText) -> None:
    """Raise RuleError for a key that would have no effect."""
    for key in _OF_JSON:
        if text.payload == "text" and getattr(text, key):
            raise RuleError(key, getattr(text, key), 'expected only with payload = "json"')
    for key in ("type", "only", "skip"):
        if text.values and not text.members and getattr(text, key):
            raise RuleError(key, getattr(text, key), "expected only with `members`")


def _check_names(of_topic: list[str], further: list[str]) -> None:
    """Raise RuleError for a name that could not be told from another one."""
    if of_topic.count("member") > 1:
        raise RuleError("topic", "{member}", "expected another name: this one is that of members")
    for name in further:
        if name in of_topic or not NAME.fullmatch(name):
            raise RuleError("names", name, "expected a new name of a to z and _")


def _made(key: str, value: str, make: Callable[[], T]) -> T:
    try:
        return make()
    except ValueError as error:
        raise RuleError(key, value, error) from None


def _template(key: str, text: str, known: set[str]) -> Template:
    return _made(key, text, lambda: Template(text, known))


def _any_of(globs: list[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(glob, globs))) if globs else None
