"""identities.json: what is refused, and that changes at once lose nothing."""

import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from collector.access import register
from collector.access.register import RegisterUnusable
from run.configuration import ROOT
from tests.identities import give

ADD = """
import sys
from pathlib import Path
from collector.access import register
for number in range(20):
    with register.edit(Path(sys.argv[1])) as entries:
        name = f"{sys.argv[2]}-{number}"
        entries[name] = register.entry(name, ["1"], register.new_secret())
"""


@pytest.mark.parametrize(
    ("name", "sensors", "secret", "said"),
    [
        ("", ["1"], "x" * 16, "name ''"),
        ("a/b", ["1"], "x" * 16, "name 'a/b'"),
        ("a\n", ["1"], "x" * 16, "name 'a\\n'"),
        ("bridge", ["1"], "x" * 16, "it is a service's"),
        ("a", [], "x" * 16, "expected sensors"),
        ("a", ["b/c"], "x" * 16, "sensor 'b/c' must be printable characters"),
        ("a", ["1"], "short", "expected 16 to 256"),
        ("a", ["1"], "x" * 16 + ":", "expected 16 to 256"),
        ("a", ["1"], "x" * 15 + "\n", "expected 16 to 256"),
    ],
)
def test_what_cannot_be_an_identity_is_named(
    name: str, sensors: list[str], secret: str, said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        register.entry(name, sensors, secret)


def test_changes_of_several_processes_are_all_kept(tmp_path: Path) -> None:
    adding = [
        subprocess.Popen([sys.executable, "-c", ADD, tmp_path, name], cwd=ROOT) for name in "abcd"
    ]
    assert [process.wait(60) for process in adding] == [0] * 4
    assert len(register.load(tmp_path).identities) == 80
    assert {path.name for path in tmp_path.iterdir()} == {register.FILE, f"{register.FILE}.lock"}


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    give(tmp_path, {"kitchen": ("secret", ["1"])})
    before = (tmp_path / register.FILE).read_bytes()
    with suppress(KeyError), register.edit(tmp_path) as entries:
        entries.clear()
        raise KeyError
    assert (tmp_path / register.FILE).read_bytes() == before


def test_two_with_one_secret_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RegisterUnusable, match="'a' and 'b' have the same name or secret"):
        give(tmp_path, {"a": ("secret", ["1"]), "b": ("secret", ["2"])})
