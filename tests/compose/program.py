"""A program of an image, run to its end in a container of its own."""

from typing import Any

from docker import DockerClient


def output(client: DockerClient, image: str, program: str, *arguments: str, **options: Any) -> str:  # noqa: ANN401  # the SDK's
    """Return what it wrote; AssertionError when it fails. `options` are those of the SDK's run.

    Not the SDK's own way of waiting: following the log, it may miss a last line without an end.
    """
    container = client.containers.run(
        image, list(arguments), entrypoint=program, detach=True, **options
    )
    try:
        status = container.wait()["StatusCode"]
        text = str(container.logs().decode(errors="replace"))
    finally:
        container.remove(force=True, v=True)
    assert status == 0, f"{program} {arguments}: exit {status}: {text}"
    return text
