"""The README shows what `make run` prints when it is ready."""

from run.pipeline import Pipeline
from run.workspace import Workspace
from tests.readme.documents import blocks, section


def test_the_block_is_the_one_printed() -> None:
    printed = Pipeline(Workspace.from_environment({}), {}).summary(1.4, None)
    shown = blocks(section("README.md", "Start"))[2].content

    def without_dashboard(text: str) -> list[str]:
        return [line for line in text.splitlines() if "  dashboard" not in line]

    block = "\n".join(without_dashboard(printed)).strip()
    assert block.startswith("Ready in 1.4 s.")
    assert block in "\n".join(without_dashboard(shown))
