"""Runs one program of an image in a new container."""

from typing import Any

from docker import DockerClient


def output(client: DockerClient, image: str, program: str, *arguments: str, **options: Any) -> str:  # noqa: ANN401  # the SDK's
    """Return the program's output; AssertionError when it fails. `options` go to the SDK's run().

    Not with the SDK's own `detach=False`: it may miss a last line without a newline.
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
