"""What the README tells a new user to type does what it says, on the real processes."""

import json
import re
import shlex
import subprocess

from tests.readme.test_names import section
from tests.service import wait_for
from tests.stack import Stack


def commands(stack: Stack) -> list[str]:
    """Return the README's three commands, for the ports of this stack."""
    ports = {1337: stack.collector.port, 8086: stack.influx.port}
    block: str = re.findall(r"```sh\n(.*?)```", section("Post, watch, query"), re.DOTALL)[0]
    for usual, actual in ports.items():
        block = block.replace(f"localhost:{usual}", f"127.0.0.1:{actual}")
    block = block.replace("-h localhost", f"-h 127.0.0.1 -p {stack.broker.port}")
    return block.replace("\\\n", " ").strip().splitlines()


def shell(command: str) -> str:
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True)
    return done.stdout


def test_post_watch_query(stack: Stack) -> None:
    post, watch, query = commands(stack)
    assert shell(post).endswith("Created")
    topic, _, message = shell(f"{watch} -C 1 -W 10").partition(" ")
    assert topic == "readings/7/temp"
    assert json.loads(message)["value"] == 21.5

    def stored() -> list[list[object]] | None:
        (series,) = json.loads(shell(query))["results"][0].get("series", [{}])
        values: list[list[object]] | None = series.get("values")
        return values

    ((_, *reading),) = wait_for(stored, what="the reading in InfluxDB") or [[]]
    assert reading == ["7", "temp", 21.5]


def test_a_device_may_publish_a_bare_value(stack: Stack) -> None:
    payload = re.findall(r"may publish `([^`]+)`", section("MQTT topics"))[0]
    publish = ["mosquitto_pub", "-p", str(stack.broker.port), "-q", "1"]
    subprocess.run([*publish, "-t", "readings/9/temp", "-m", payload], check=True)
    query = "SELECT * FROM data WHERE sensor_id = '9'"
    (point,) = wait_for(lambda: stack.influx.query(query), what="the reading in InfluxDB")
    assert (point["type"], point["value"]) == ("temp", 21.5)


def test_the_endpoints_named_answer(stack: Stack) -> None:
    for endpoint in re.findall(r"`(?:GET )?(/[a-z]+)`", section("POST /data")):
        status = shell(f"curl -s -o /dev/null -w %{{http_code}} {stack.collector.url}{endpoint}")
        assert status == "200", endpoint
