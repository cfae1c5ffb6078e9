"""What `make run` tells the commands: the settings and process ids of what runs."""

import json
from collections.abc import Mapping
from pathlib import Path


class State:
    """The file `state.json` in a RUN_DIR; valid while its lock is held."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "state.json"

    def write(self, settings: Mapping[str, str], pids: Mapping[str, int]) -> None:
        """Replace the file, readable for its owner only: settings may be passwords."""
        partial = self._path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        partial.touch(0o600)
        partial.write_text(json.dumps({"settings": settings, "pids": pids}), encoding="utf-8")
        partial.replace(self._path)

    def settings(self) -> dict[str, str]:
        """Return the settings of the last `make run`; FileNotFoundError if there was none."""
        return dict(self._read()["settings"])

    def pids(self) -> dict[str, int]:
        """Return the process id of each part; FileNotFoundError as above."""
        return {name: int(pid) for name, pid in self._read()["pids"].items()}

    def _read(self) -> dict[str, dict[str, str]]:
        content: dict[str, dict[str, str]] = json.loads(self._path.read_text(encoding="utf-8"))
        return content
