"""The README shows what `make run` prints first."""

from run.workspace import Workspace
from tests.readme.documents import blocks, section


def test_the_addresses_are_those_printed() -> None:
    printed = Workspace.from_environment({"RUN_DIR": "/home/you/pipeline/.run"}).summary()
    shown = blocks(section("README.md", "Start"))[2].content.strip()

    def without_dashboard(text: str) -> list[str]:
        return [line for line in text.splitlines() if not line.startswith("dashboard")]

    assert without_dashboard(shown) == without_dashboard(printed)
