"""JMESPath expressions of a rule."""

import jmespath
from jmespath.exceptions import ArityError, JMESPathError, UnknownFunctionError

from collector.formats.payload import shown
from collector.formats.schema import RuleError


class Path:
    """A compiled expression; `key` is where it stands in its rule."""

    def __init__(self, key: str, text: str) -> None:
        """Raise RuleError if it is not JMESPath."""
        self._key = key
        self._text = text
        try:
            self._expression = jmespath.compile(text)
            self._check_functions()
        except JMESPathError as error:
            reason = str(error).partition("\n")[0]
            raise RuleError(key, text, f"expected a JMESPath expression: {reason}") from None

    def _check_functions(self) -> None:
        """Raise what only an evaluation finds."""
        try:
            self._expression.search({})
        except (UnknownFunctionError, ArityError):
            raise
        except JMESPathError:  # an empty object is not what it is for
            pass

    def search(self, document: object) -> object:
        """Return what it finds; None if there is nothing. Raises ValueError."""
        found: object = self._expression.search(document)
        return found

    def text(self, document: object) -> str:
        """Return a text or an integer as text; raises ValueError if it finds anything else."""
        found = self.search(document)
        if isinstance(found, str) or type(found) is int:
            return str(found)
        raise ValueError(
            f"{self._key}: expected a text or an integer at {self._text}{shown(found)}"
        )
