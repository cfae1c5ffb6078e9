"""What a single argument may be; each check raises ArgumentTypeError."""

import argparse
import math
from collections.abc import Callable

MIN_RATE, MAX_RATE = 1e-6, 1e9


def host(text: str) -> str:
    """Return a name or an address as it is."""
    if not _is_name(text) or "/" in text or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a host name or an address, without http:// or a path"
        )
    return text


def _is_name(text: str) -> bool:
    try:
        return bool(text.encode("idna"))  # as it will be looked up: no part above 63 characters
    except UnicodeError:
        return False


def tls_name(text: str) -> str:
    """Return the first of the names or addresses between commas; an empty text as it is."""
    first = text.split(",", maxsplit=1)[0].strip()
    return host(first.removeprefix("[").removesuffix("]")) if text.strip() else ""


def text(text: str) -> str:
    """Return a text that can be sent as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected UTF-8") from None
    return text


def token(text: str) -> str:
    """Return a token that fits into a header of HTTP."""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError("expected printable ASCII without spaces")
    return text


def token_in(path: str) -> str:
    """Return the token in a file."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            return token(file.read().strip())
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise argparse.ArgumentTypeError(f"{path!r}: {reason}") from None


def integer(low: int, high: int | None = None) -> Callable[[str], int]:
    """Return a check for integers from `low` to `high`."""

    def integer(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if number < low or (high is not None and number > high):
            limits = f"from {low} to {high}" if high is not None else f"of at least {low}"
            raise argparse.ArgumentTypeError(f"{text!r}: expected an integer {limits}")
        return number

    return integer


def rate(text: str) -> float:
    """Return readings per second."""
    return _decimal(text, MIN_RATE, MAX_RATE)


def seconds(text: str) -> float:
    """Return a duration in seconds."""
    return _decimal(text, 1e-3, 1e9)


def _decimal(text: str, low: float, high: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from {low:g} to {high:g}")
    return number
