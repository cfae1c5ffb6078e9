"""What `make run` tells the commands: the settings and process ids of what runs."""

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_KEYS = {"settings", "supervisor", "pids"}


class StateUnreadable(Exception):
    """The file cannot be read, or is of another kind."""


class State:
    """The file `state.json` in a RUN_DIR; valid while its lock is held."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "state.json"

    def write(self, settings: Mapping[str, str], pids: Mapping[str, int]) -> None:
        """Replace the file, readable for its owner only: settings may be passwords."""
        partial = self._path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        partial.touch(0o600)
        content = {"settings": settings, "supervisor": os.getpid(), "pids": pids}
        partial.write_text(json.dumps(content), encoding="utf-8")
        partial.replace(self._path)

    def settings(self) -> dict[str, str]:
        """Return the settings of the last `make run`.

        Raises FileNotFoundError if there was none, StateUnreadable if the file is not one of these.
        """
        return {str(name): str(text) for name, text in self._read()["settings"].items()}

    def pids(self) -> dict[str, int]:
        """Return the process id of each part; raises as above."""
        return {str(name): int(pid) for name, pid in self._read()["pids"].items()}

    def kill(self, part: str) -> bool:
        """Kill a part; return whether it was running. Raises as above.

        Nothing but a child of the supervisor is killed, whatever has the part's number now.
        """
        pid = self.pids().get(part, 0)
        try:
            descriptor = os.pidfd_open(pid)  # from here on the number stays its own
        except OSError:
            return False
        try:
            is_ours = _parent(pid) == int(self._read()["supervisor"])
            if is_ours:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except ProcessLookupError:
            return False
        finally:
            os.close(descriptor)
        return is_ours

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(content, dict) and content.keys() == _KEYS:
                return content
            reason = "it is not one of make run"
        except FileNotFoundError:
            raise
        except OSError as error:
            reason = error.strerror or str(error)
        except ValueError as error:
            reason = str(error)
        raise StateUnreadable(f"{self._path} cannot be used: {reason}")


def _parent(pid: int) -> int | None:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2]
    except OSError:
        return None
    return int(after_name.split()[1])
