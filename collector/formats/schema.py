"""A rule as it is written in TOML, before it is compiled."""

from typing import Literal

import msgspec


class RuleText(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The keys of a rule; docs/formats.md explains each. Paths are JMESPath expressions."""

    topic: str
    skip_topics: list[str] = []
    payload: Literal["json", "text"] = "json"
    when: str | None = None
    names: dict[str, str] = {}
    sensor: str = "{sensor}"
    time: str | None = None
    members: str | None = None
    type: str | None = None
    only: list[str] = []
    skip: list[str] = []
    values: dict[str, str] = {}
    words: dict[str, int | float] = {}
    booleans: bool = False
    numeric_texts: bool = False


class FamilyText(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A file of rules: of a family, or a user's own."""

    about: str = ""
    documentation: str = ""
    by_name_only: bool = False
    rules: list[dict[str, object]]


class RuleError(ValueError):
    """A key of a rule that cannot be used; the text names it, its value and what was expected."""

    def __init__(self, key: str, value: object, expected: object) -> None:
        super().__init__(f"{key}={value!r}: {expected}")
