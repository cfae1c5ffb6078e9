"""Says where and why something is not JSON: the fast decoder's own words are for programmers."""

import json
import re

import msgspec

# Python's decoder knows better where and why, but makes objects of all that is before.
_MAX_DECODED_BYTES = 1 << 16
_POSITION = re.compile(r"\(byte (\d+)\)$")
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "UTF-8", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def is_not_json(error: Exception) -> bool:
    """Return whether msgspec's error says that this is not JSON, rather than not a reading."""
    if isinstance(error, msgspec.ValidationError):
        return False
    return isinstance(error, msgspec.DecodeError | UnicodeDecodeError | RecursionError)


def reason(content: bytes, error: Exception) -> str:
    """Return why this is not JSON, in plain words; bytes are counted from 0.

    `error` is what a decoder has raised.
    """
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return f"it begins with a byte order mark of {encoding}; send UTF-8 without one"
    return _exactly(content) if len(content) <= _MAX_DECODED_BYTES else _roughly(error)


def _exactly(content: bytes) -> str:
    try:
        text = content.decode()
        _decoder.decode(text)
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        return _unexpected(text, error)
    except RecursionError:
        return "it is nested too deeply"
    except _Constant as error:
        return f"JSON has no {error}"
    return "a string has half of a surrogate pair"  # which only Python's decoder takes


def _roughly(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    found = _POSITION.search(str(error))
    # Half of a surrogate pair at the end of a string is, to msgspec, an early end too.
    return f"something is wrong near byte {found[1]}" if found else "it ends too early"


def _unexpected(text: str, error: json.JSONDecodeError) -> str:
    place = f"byte {len(text[: error.pos].encode())}"
    if error.msg.startswith("Unterminated string"):
        return f"it ends within the string that begins at {place}"
    if error.pos >= len(text.rstrip()):
        return "it ends too early"
    return f"unexpected character {text[error.pos]!r} at {place}"


class _Constant(Exception):
    """NaN or an infinity, which Python's decoder takes."""


def _refuse(constant: str) -> None:
    raise _Constant(constant)


# Numbers are not read: reading very long ones takes very long.
_decoder = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=_refuse)
