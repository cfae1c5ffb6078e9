"""The version is written in one place, which the images have too."""

import tomllib

import telemetry
from run.configuration import ROOT


def test_the_package_takes_its_version_from_the_code() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        described = tomllib.load(file)
    assert described["project"]["dynamic"] == ["version"]
    attribute = described["tool"]["setuptools"]["dynamic"]["version"]["attr"]
    package, _, name = attribute.rpartition(".")
    assert getattr({"telemetry": telemetry}[package], name) == telemetry.__version__
