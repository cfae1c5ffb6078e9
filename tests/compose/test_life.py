"""Stopping, starting, removing: by each Compose."""

import time

import docker
import pytest

from tests.compose.composer import Command, version
from tests.compose.conftest import Note
from tests.compose.project import Project
from tests.service import wait_for

STOP_LIMIT_S = 10.0
SENDERS_FIRST = ("simulator", "collector", "bridge", "db", "broker")


def assert_stops_cleanly(stack: Project) -> float:
    """Stop what runs; return the seconds it took."""
    begin = time.monotonic()
    stack.run("stop")
    took = time.monotonic() - begin
    assert took < STOP_LIMIT_S
    states = {name: stack.container(name).attrs["State"] for name in stack.services}
    assert {name: state["ExitCode"] for name, state in states.items()} == dict.fromkeys(states, 0)
    assert {state["Status"] for state in states.values()} == {"exited"}
    return took


def test_stop_takes_seconds_and_every_service_ends_well(
    stack: Project, compose: Command, note: Note
) -> None:
    wait_for(lambda: stack.count("123") > 1, 20, "the pipeline at work")
    note(f"compose {version(compose)}: stopped in {assert_stops_cleanly(stack):.1f} s")


def test_a_start_in_the_worst_order_ends_healthy(stack: Project) -> None:
    stack.run("stop")
    for name in SENDERS_FIRST[:3]:
        stack.container(name).start()
    # Nothing that they need is there; they wait, and take readings meanwhile.
    stack.accept("early")
    assert stack.state("bridge") != "exited"
    for name in SENDERS_FIRST[3:]:
        stack.container(name).start()
    stack.wait_healthy()
    wait_for(lambda: stack.count("early") == 1, 20, "the reading stored")


def test_who_waits_can_be_stopped(stack: Project) -> None:
    stack.run("stop")
    for name in SENDERS_FIRST[:3]:
        stack.container(name).start()
    stack.accept("lone")
    assert_stops_cleanly(stack)
    stack.up()
    stack.wait_healthy()
    wait_for(lambda: stack.count("lone") == 1, 20, "the reading stored")


def test_down_keeps_the_data_and_down_with_volumes_does_not(stack: Project) -> None:
    stack.accept("kept")
    wait_for(lambda: stack.count("kept") == 1, 20, "the reading stored")
    accepted = stack.books().accepted
    stack.run("down")
    with pytest.raises(docker.errors.NotFound):
        stack.container("db")
    stack.up()
    stack.wait_healthy()
    assert stack.count("kept") == 1
    assert stack.books().accepted >= accepted
    stack.run("down", "--volumes")
    stack.up()
    stack.wait_healthy()
    assert stack.count("kept") == 0
    assert stack.books().accepted < accepted
