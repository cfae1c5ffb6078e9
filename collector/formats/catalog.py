"""The known formats, and a user's own rules."""

import re
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from collector.formats.rule import Rule
from collector.formats.schema import FamilyText, RuleError, RuleText
from telemetry.settings import SettingError

DEVICES = "devices"
ALL = "all"
STATESTREAM = "homeassistant"

T = TypeVar("T")

_KEY = "FORMATS_FILE"
_MAX_BYTES = 1 << 20
# Where msgspec's words end with a place in what it was given: `key` or a part of it.
_PLACE = re.compile(r"(?P<what>.*) - at `\$\.(?P<key>\w+).*`", re.DOTALL)


@cache
def families() -> dict[str, FamilyText]:
    """Return the families that ship with the collector, by name."""
    found = {
        file.name.removesuffix(".toml"): _family(file.read_text("utf-8"))
        for file in (files(__package__) / "families").iterdir()
        if file.name.endswith(".toml")
    }
    return dict(sorted(found.items()))


def chosen(names: str) -> set[str]:
    """Return the names in FORMATS, with those that `all` stands for; raises SettingError."""
    given = {name.strip() for name in names.split(",")} - {""}
    known = families()
    if unknown := given - {ALL, DEVICES, *known}:
        expected = f"expected, separated by commas: {', '.join([ALL, DEVICES, *known])}"
        raise SettingError("FORMATS", names, f"unknown: {', '.join(sorted(unknown))}; {expected}")
    if ALL in given:
        given |= {DEVICES, *(name for name, family in known.items() if not family.by_name_only)}
    return given - {ALL}


def compiled(family: FamilyText, zone: ZoneInfo) -> list[Rule]:
    """Compile the rules of a family; raises ValueError naming the rule and the key."""
    return [_rule(number, text, zone) for number, text in enumerate(family.rules, 1)]


def own_rules(file: str, zone: ZoneInfo) -> list[Rule]:
    """Compile the rules of FORMATS_FILE, none if it is ""; raises SettingError."""
    if not file:
        return []
    try:
        return compiled(_family(_text(Path(file))), zone)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(_KEY, file, f"expected a readable file: {error}") from None
    except RecursionError:
        raise SettingError(_KEY, file, "expected less deep nesting") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingError(_KEY, file, f"expected TOML: {error}") from None
    except ValueError as error:
        raise SettingError(_KEY, file, str(error)) from None


def _text(path: Path) -> str:
    """Return the text of a file, without a byte order mark; raises OSError."""
    if path.exists() and not (path.is_file() and path.stat().st_size <= _MAX_BYTES):
        raise OSError(f"no regular file of at most {_MAX_BYTES} bytes")
    return path.read_text(encoding="utf-8-sig")


def _family(text: str) -> FamilyText:
    return _converted(tomllib.loads(text), FamilyText)


def _rule(number: int, text: dict[str, object], zone: ZoneInfo) -> Rule:
    try:
        return Rule(_converted(text, RuleText), zone)
    except ValueError as error:
        raise ValueError(
            f"rule {number} ({text.get('topic', 'without a topic')}): {error}"
        ) from None


def _converted(given: dict[str, object], kind: type[T]) -> T:
    """Return a table of a TOML file as a struct; raises RuleError, or ValueError without a key."""
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        found = _PLACE.fullmatch(str(error))
        if found is None:
            raise ValueError(str(error)) from None
        raise RuleError(found["key"], given.get(found["key"]), found["what"]) from None
