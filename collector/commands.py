"""The collector's commands, beside the running service."""


def main(arguments: list[str]) -> int:
    raise NotImplementedError
