"""`python -m device --mqtt` on the whole pipeline: what is accepted is stored, and once."""

import re
from pathlib import Path

from tests.device.process import Device
from tests.integration.points import points, wait_points
from tests.stack import Stack, wait_for


def test_readings_are_stored_although_broker_and_collector_were_killed(
    restartable: Stack, tmp_path: Path
) -> None:
    options = (
        "--mqtt --sensor-id 7001 --sensors 2 --types temp humé --rate 100 --batch 5 --count 600"
    )
    with Device(tmp_path, restartable.broker.port, *options.split()) as device:
        for parts in (
            [restartable.broker],
            [restartable.collector],
            [restartable.collector, restartable.broker],
        ):
            before = len(points(restartable.influx, "7001"))
            wait_for(lambda: len(points(restartable.influx, "7001")) > before, what="readings")  # noqa: B023
            for part in parts:
                part.kill()
            for part in reversed(parts):
                part.start()
                part.wait_ready()
        assert device.end(120) == 0
    assert "not accepted" in device.log_text()
    assert device.summary()["accepted"] == 600
    for sensor in ("7001", "7002"):
        stored = wait_points(restartable.influx, sensor, 300)
        assert len(stored) == 300, "a reading that was sent again became a second point"


def test_refused_readings_are_named_and_the_others_stored(
    restartable: Stack, tmp_path: Path
) -> None:
    options = "--mqtt --sensor-id 7003 --rate 200 --count 16 --batch 8 --types temp a/b"
    with Device(tmp_path, restartable.broker.port, *options.split()) as device:
        assert device.end() == 1
    log = device.log_text()
    assert "retrying with half as many readings" in log
    assert len(re.findall(r'dropped: \{"ts".*refused .*"field": "type"', log)) == 8
    assert (device.summary()["accepted"], device.summary()["refused"]) == (8, 8)
    stored = wait_points(restartable.influx, "7003", 8)
    assert {type_ for type_, _ in stored} == {"temp"}
    assert len(stored) == 8
