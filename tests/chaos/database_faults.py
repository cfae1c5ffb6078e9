"""InfluxDB forgets what it has confirmed; the collector must notice, and store it again."""

import random
import shutil
import time

from tests.chaos.fault import Heal, nothing_to_heal
from tests.chaos.rig import Rig
from tests.stack import wait_for

STATE = ("meta", "data", "wal")
"""The directories that hold all that InfluxDB knows."""
SPACE_LEFT = 6000
"""Bytes: enough for the beginning of an entry of the write-ahead log."""
FULL_S = 1.0


def drop_database(rig: Rig, _: random.Random) -> Heal:
    """Drop the database; InfluxDB takes no writes until the type conflict is there again."""
    rig.influx.wait_ready()
    rig.database_forgets()
    with rig.stub.held():
        policy = next(p for p in rig.influx.query("SHOW RETENTION POLICIES") if p["default"])
        rig.influx.query("DROP DATABASE iot")
        rig.influx.query(
            "CREATE DATABASE iot WITH DURATION INF REPLICATION 1"
            f' SHARD DURATION {policy["shardGroupDuration"]} NAME "{policy["name"]}"'
        )
        rig.create_type_conflict()
    return nothing_to_heal


def drop_series(rig: Rig, _: random.Random) -> Heal:
    """Drop all series of readings but the one that makes the type conflict."""
    rig.influx.wait_ready()
    rig.database_forgets()
    rig.influx.query("""DROP SERIES FROM "data" WHERE "sensor_id" != 'integer'""")
    return nothing_to_heal


def restore_database(rig: Rig, _: random.Random) -> Heal:
    """Copy InfluxDB's directories; replace them by the copy when healed."""
    copy = rig.directory / "influx copy"
    rig.influx.stop()
    for name in STATE:
        shutil.copytree(rig.influx.directory / name, copy / name)
    rig.influx.start()

    def restore() -> None:
        rig.influx.stop()
        rig.database_forgets()
        for name in STATE:
            shutil.rmtree(rig.influx.directory / name)
            shutil.move(copy / name, rig.influx.directory / name)
        rig.influx.start()

    return restore


def tear_log(rig: Rig, _: random.Random) -> Heal:
    """Fill InfluxDB's disk in the middle of a write; then two starts.

    The first of them continues the write-ahead log behind the torn entry, and the second cuts off
    what was written there and confirmed. There must be load, and the bridge must store.
    """
    assert rig.influx_disk, "only root can mount a disk to fill"
    rig.influx_disk.fill(leave=SPACE_LEFT)

    def free_and_restart_twice() -> None:
        assert rig.influx_disk
        rig.influx_disk.free()
        rig.influx.kill()
        rig.influx.start()
        rig.influx.wait_ready()
        before = rig.stub.responses["204"]
        wait_for(lambda: rig.stub.responses["204"] >= before + 20, 30, "stored after a full disk")
        rig.influx.kill()
        rig.database_forgets()
        rig.log_is_torn = True
        rig.influx.start()

    time.sleep(FULL_S)  # the bridge tries again and again meanwhile
    return free_and_restart_twice
