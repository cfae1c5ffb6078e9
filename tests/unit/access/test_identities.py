"""Identities as the collector has them: by token and by name, and after changes of their file."""

import asyncio
import os
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.access import identities as identities_module
from collector.access import register
from collector.access.broker import RULES, Terms
from collector.access.identities import Identities, UnknownToken
from collector.access.identity import ANYONE, Identity, SensorForbidden
from collector.access.register import PASSWORDS, RegisterUnusable
from telemetry.reading import Reading
from tests.identities import LOOPBACK, give

KITCHEN = {"kitchen": ("kitchen-secret", ["kitchen", "7", "k-*"])}


def bearer(token: str) -> bytes:
    return f"Bearer {token}".encode()


def may_enter(identities: Identities, authorization: bytes) -> bool:
    try:
        identities.identify(authorization)
    except UnknownToken:
        return False
    return True


@pytest.mark.parametrize(
    ("pattern", "allowed", "refused"),
    [
        ("kitchen", ["kitchen"], ["kitchen2", "Kitchen", "", "kitche"]),
        ("k*n", ["kn", "kitchen", "k*n"], ["kitchens", "akn"]),
        ("*", ["", "anything", "7"], []),
        ("a?[b]", ["a?[b]"], ["axb", "ab"]),
        ("a.*", ["a.", "a.b"], ["ab"]),
    ],
)
def test_of_a_pattern_only_the_star_is_special(
    pattern: str, allowed: list[str], refused: list[str]
) -> None:
    identity = Identity("x", [pattern])
    assert all(identity.may_send(one) for one in allowed)
    assert not any(identity.may_send(one) for one in refused)


@given(st.text(), st.text())
def test_without_a_star_a_pattern_is_that_sensor_alone(pattern: str, sensor: str) -> None:
    if "*" not in pattern:
        assert Identity("x", [pattern]).may_send(sensor) == (sensor == pattern)


def test_many_stars_are_not_slow() -> None:
    assert not Identity("x", ["*a" * 30 + "b"]).may_send("a" * 64)


def test_a_reading_of_another_sensor_is_refused_by_name() -> None:
    readings = [Reading(type="t", value=1, sensor_id=one) for one in (7, "garage")]
    Identity("kitchen", ["7"]).check(readings[:1])
    with pytest.raises(SensorForbidden, match="'garage' is not one of kitchen's"):
        Identity("kitchen", ["7"]).check(readings)


def test_a_token_is_that_of_its_identity(tmp_path: Path) -> None:
    give(tmp_path, KITCHEN)
    identities = Identities(tmp_path, LOOPBACK)
    assert identities.identify(bearer("kitchen-secret")).name == "kitchen"
    assert identities.identify(b"bEARER  kitchen-secret ").name == "kitchen"
    for wrong in (b"", bearer("kitchen"), b"Basic kitchen-secret", b"kitchen-secret"):
        assert not may_enter(identities, wrong)


def test_without_identities_everybody_on_loopback_may_send(tmp_path: Path) -> None:
    assert Identities(tmp_path, LOOPBACK).identify(b"") is ANYONE
    assert not may_enter(Identities(tmp_path, Terms(opened=True)), b"")


def test_the_simulator_is_no_device(tmp_path: Path) -> None:
    give(tmp_path, {register.SIMULATOR: ("its-secret", ["*"])})
    identities = Identities(tmp_path, LOOPBACK)
    assert identities.identify(b"") is ANYONE
    assert identities.identify(bearer("its-secret")).name == register.SIMULATOR


def test_changes_are_taken_up(tmp_path: Path) -> None:
    identities = Identities(tmp_path, LOOPBACK)
    assert may_enter(identities, b"")
    give(tmp_path, KITCHEN)
    identities.refresh()
    assert not may_enter(identities, b"")
    assert "user kitchen" in (tmp_path / RULES).read_text()
    with register.edit(tmp_path) as entries:
        entries["kitchen"] = register.entry("kitchen", ["1"], "another-secret-of-it")
    identities.refresh()
    assert not may_enter(identities, bearer("kitchen-secret"))
    assert may_enter(identities, bearer("another-secret-of-it"))


def test_without_its_last_device_it_stays_closed_until_it_is_opened(tmp_path: Path) -> None:
    give(tmp_path, {register.SIMULATOR: ("its-secret", ["*"])})
    identities = Identities(tmp_path, LOOPBACK)
    assert may_enter(identities, b"")
    give(tmp_path, KITCHEN)
    file = tmp_path / register.FILE
    # As earlier versions have left it: they did not note that there was a device.
    file.write_text(file.read_text().replace('"closed": true', '"closed": false'))
    with register.edit(tmp_path, opens=True):
        pass  # not while there is one
    for opens, enters in ((False, False), (False, False), (True, True), (False, True)):
        with register.edit(tmp_path, opens=opens) as entries:
            entries.pop("kitchen", None)
        identities.refresh()
        assert may_enter(identities, b"") == enters
        assert may_enter(Identities(tmp_path, LOOPBACK), b"") == enters


@pytest.mark.parametrize("harm", ["removed", "cut", "empty"])
def test_what_harms_the_file_lets_nobody_in(
    tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    identities = Identities(tmp_path, LOOPBACK)
    give(tmp_path, KITCHEN)
    identities.refresh()
    caplog.clear()
    file = tmp_path / register.FILE
    whole = file.read_bytes()
    if harm == "removed":
        file.unlink()
    else:
        file.write_bytes(whole[:50] if harm == "cut" else b"")
    for _ in range(3):
        identities.refresh()
    assert not may_enter(identities, b"")
    assert may_enter(identities, bearer("kitchen-secret"))
    assert len(caplog.records) == 1
    with pytest.raises(RegisterUnusable):  # nor after a restart
        Identities(tmp_path, LOOPBACK)
    with pytest.raises(RegisterUnusable), register.edit(tmp_path):
        pass
    file.write_bytes(whole)
    identities.refresh()
    assert may_enter(identities, bearer("kitchen-secret"))


def test_a_token_is_known_as_soon_as_it_is_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identities_module, "_REST", 0)  # no process adds them so fast
    give(tmp_path, KITCHEN)
    identities = Identities(tmp_path, LOOPBACK)
    for secret in ("the-next-secret-of-it", "the-last-secret-of-it"):
        assert not may_enter(identities, bearer(secret))
        with register.edit(tmp_path) as entries:
            entries["kitchen"] = register.entry("kitchen", ["1"], secret)
        assert may_enter(identities, bearer(secret))
    assert not may_enter(identities, bearer("the-next-secret-of-it"))


@pytest.mark.parametrize("harmed", [False, True])
def test_guesses_keep_nobody_busy_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, harmed: bool
) -> None:
    give(tmp_path, KITCHEN)
    identities = Identities(tmp_path, LOOPBACK)
    load, took_s, looks = register.load, 0.02, []

    def slow(directory: Path) -> register.Register:
        looks.append(time.monotonic())
        time.sleep(took_s)
        return load(directory)

    monkeypatch.setattr(register, "load", slow)
    file = tmp_path / register.FILE
    if harmed:
        file.write_bytes(b"")
    deadline = time.monotonic() + 20
    while len(looks) < 3:
        assert time.monotonic() < deadline
        os.utime(file)
        assert not may_enter(identities, bearer("guess"))
    assert all(after - before > 4 * took_s for before, after in pairwise(looks))


def test_the_file_is_looked_at_again_and_again(tmp_path: Path) -> None:
    identities = Identities(tmp_path, LOOPBACK)

    async def watch() -> None:
        watching = asyncio.create_task(identities.watch())
        give(tmp_path, KITCHEN)
        async with asyncio.timeout(20):
            while identities.named("kitchen") is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        watching.cancel()

    asyncio.run(watch())


def test_the_broker_has_no_more_than_hashes(tmp_path: Path) -> None:
    give(tmp_path, KITCHEN)
    identities = Identities(tmp_path, LOOPBACK)
    give(tmp_path, {"garage": ("garage-secret", ["2"])})
    identities.refresh()
    for path in tmp_path.iterdir():
        assert b"kitchen-secret" not in path.read_bytes(), path
    assert (tmp_path / register.FILE).stat().st_mode & 0o077 == 0
    assert (tmp_path / PASSWORDS).stat().st_mode & 0o007 == 0
