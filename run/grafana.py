"""Grafana, which is optional: where its package put it, and how it is started.

Its presence is checked before the Python environment exists, so it uses only the standard library.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from run.configuration import SEARCH_PATH

_PACKAGED = Path("/usr/share/grafana")
# Newer packages have only the first.
_PROGRAMS = {"grafana": ["server"], "grafana-server": []}


class Grafana(NamedTuple):
    """An installed Grafana: how its server is started, and the directory of its files."""

    argv: list[str]
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """What lets start.sh find its `grafana cli`."""
        directory = Path(self.argv[0]).parent
        return {"PATH": f"{directory}:{SEARCH_PATH}", "GF_PATHS_HOME": str(self.home)}


def find(environ: Mapping[str, str]) -> Grafana | None:
    """Return the Grafana of GF_PATHS_HOME, else of the PATH, else of its package, if there is one.

    On the PATH a package has scripts, which read /etc/grafana; the programs are in its home.
    """
    given = environ.get("GF_PATHS_HOME", "")
    places = [f"{given}/bin"] * bool(given) + [SEARCH_PATH, f"{_PACKAGED}/bin"]
    for name, subcommand in _PROGRAMS.items():
        if found := shutil.which(name, path=os.pathsep.join(places)):
            home = Path(given) if given else _home(Path(found))
            program = shutil.which(name, path=home / "bin") or found
            return Grafana([program, *subcommand, "--homepath", str(home)], home)
    return None


def _home(program: Path) -> Path:
    unpacked = program.resolve().parent.parent  # of a tarball
    return unpacked if (unpacked / "conf" / "defaults.ini").is_file() else _PACKAGED
