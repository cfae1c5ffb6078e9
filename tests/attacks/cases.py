"""The table of attacks. A module that imports these tests has a fixture `target`."""

import json
import secrets
import socket
from http import HTTPStatus

import httpx
import pytest

from collector.access.secrets import OWNERS
from tests.attacks.client import Client
from tests.attacks.target import Target
from tests.service import wait_for

READING = json.dumps(
    {"id": "x.y:1", "ts": "2026-01-31T12:00:00Z", "type": "temp", "value": 1, "sensor_id": "a"}
)
STATUS = json.dumps({"state": "up"})
# Who may publish what; everybody else may not.
RIGHTFUL = {
    "readings/attacked/temp": ("collector", READING),
    "replay/attacked/temp": ("collector", READING),
    "accepted/kitchen": ("collector", '{"ref": 1, "count": 1}'),
    "refused/kitchen": ("collector", '{"ref": 1, "errors": []}'),
    "to/kitchen/accepted/kitchen": ("collector", '{"ref": 1, "count": 1}'),
    "rejected/attacked/temp": ("collector", "{}"),
    "status/collector/attacked": ("collector", STATUS),
    "receipts/attacked": ("bridge", '{"stored": [[1, 100000]], "run": "attacked"}'),
    "status/bridge/attacked": ("bridge", STATUS),
    "devices/kitchen/attacked": ("kitchen", "1"),
    "from/kitchen/devices/kitchen/attacked": ("kitchen", "1"),
}
# The bridge passes on what devices of before publish on readings/, and both services have
# dead letters.
ALSO = {("bridge", "devices/kitchen/attacked"), ("bridge", "rejected/attacked/temp")}
EVERYBODY = ("", "garage", "kitchen", "collector", "bridge")
FORGERIES = [
    (who, topic)
    for topic, (rightful, _) in RIGHTFUL.items()
    for who in EVERYBODY
    if who != rightful and (who, topic) not in ALSO
]


def mark(spy: Client, rightful: Client, topic: str) -> None:
    """Publish what is allowed, and wait for it: what was published before would be there too."""
    payload = json.dumps({"mark": secrets.token_hex(8)}).encode()
    rightful.publish(topic, payload)
    wait_for(lambda: payload in spy.payloads(topic), what=f"the mark on {topic}")


@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize(("who", "topic"), FORGERIES)
def test_nobody_else_publishes(target: Target, who: str, topic: str, retain: bool) -> None:
    rightful, payload = RIGHTFUL[topic]
    with (
        target.connect("collector") as spy,
        target.connect(who) as attacker,
        target.connect(rightful) as owner,
    ):
        spy.subscribe(topic)
        attacker.publish(topic, payload, retain=retain)
        mark(spy, owner, topic)
        assert payload.encode() not in spy.payloads(topic)
        owner.publish(topic, payload)  # the control
        wait_for(lambda: payload.encode() in spy.payloads(topic), what=f"{topic} by its owner")
    with target.connect("collector") as late, target.connect(rightful) as owner:
        late.subscribe(topic)
        mark(late, owner, topic)
        assert payload.encode() not in late.payloads(topic), "it is retained"


@pytest.mark.parametrize("who", ["", "kitchen"])
@pytest.mark.parametrize(
    "topic", ["$SYS/#", "receipts/#", "replay/#", "$CONTROL/#", "devices/#", "from/#", "#"]
)
def test_nobody_else_listens(target: Target, who: str, topic: str) -> None:
    with (
        target.connect(who) as attacker,
        target.connect("collector") as collector,
        target.connect("bridge") as bridge,
        target.connect("garage") as garage,
    ):
        attacker.subscribe(topic)
        collector.subscribe("#")
        bridge.publish("receipts/attacked", RIGHTFUL["receipts/attacked"][1])
        garage.publish("devices/garage/secret", "1")
        collector.publish("replay/attacked/temp", READING)
        mark(collector, garage, "devices/garage/secret")
        # What everybody may read arrives; that is the control where the topic holds it.
        heard = {topic.split("/")[0] for topic, _ in attacker.messages}
        assert heard <= {"readings", "status"}


def test_a_device_reads_its_own_answers_only(target: Target) -> None:
    with target.connect("kitchen") as kitchen, target.connect("garage") as garage:
        for one in (kitchen, garage):
            one.subscribe("accepted/kitchen", "accepted/#", "to/kitchen/#", "to/#")
        kitchen.publish("devices/kitchen/temp", '{"value": 1, "ref": 7}')
        kitchen.publish("from/kitchen/devices/kitchen/temp", '{"value": 2, "ref": 8}')
        assert json.loads(kitchen.wait_message("accepted/kitchen"))["ref"] == 7
        assert kitchen.wait_message("to/kitchen/accepted/kitchen")
        garage.publish("devices/garage/temp", '{"value": 1, "ref": 9}')
        garage.subscribe("accepted/garage")
        garage.publish("devices/garage/temp", '{"value": 1, "ref": 10}')
        garage.wait_message("accepted/garage")
        assert {topic for topic, _ in garage.messages} == {"accepted/garage"}


@pytest.mark.parametrize("who", ["", "kitchen"])
@pytest.mark.parametrize("prefix", ["collector", "devices", "bridge"])
def test_nobody_takes_the_session_of_a_service(target: Target, who: str, prefix: str) -> None:
    outbox = target.outbox()
    ids = {"bridge"} if prefix == "bridge" else {f"{prefix}-{outbox}", f"{prefix}-{outbox}-1"}
    for client_id in ids:
        with target.connect("collector") as spy, target.connect(who, client_id=client_id) as thief:
            spy.subscribe("status/+/+")
            thief.subscribe("readings/#")
            before = len(spy.messages)
            wait_for(lambda: len(spy.messages) > before + 2, 20, "two further statuses")  # noqa: B023
            assert not any(b'"offline"' in payload for _, payload in spy.messages[before:])


@pytest.mark.parametrize("password", ["", "guess", "kitchen", "x" * 10_000])
@pytest.mark.parametrize("who", ["collector", "bridge", "kitchen", "nobody"])
def test_a_wrong_password_is_refused(target: Target, who: str, password: str) -> None:
    with target.connect(who, password) as attacker:
        assert attacker.refused == "Not authorized"


@pytest.mark.parametrize(("who", "status"), [("", 401), ("garage", 403), ("kitchen", 201)])
def test_a_device_posts_for_its_own_sensors(target: Target, who: str, status: int) -> None:
    assert target.post("kitchen", who).status_code == status


def test_another_devices_sensors_inside_a_message(target: Target) -> None:
    smuggled = '{"ref": 1, "readings": [{"type": "t", "value": 1, "sensor_id": "kitchen"}]}'
    with target.connect("garage") as garage, target.connect("collector") as spy:
        garage.subscribe("refused/garage", "to/garage/#")
        spy.subscribe("readings/kitchen/t")
        garage.publish("devices/garage", smuggled)
        assert b"kitchen" in garage.wait_message("refused/garage")
        garage.publish("from/garage/devices/garage", smuggled)
        assert b"kitchen" in garage.wait_message("to/garage/refused/garage")
        garage.publish("from/garage/devices/kitchen/t", '{"value": 1, "ref": 2}')
        assert b"kitchen" in garage.wait_message("to/garage/refused/kitchen")
        assert spy.messages == []


def test_a_revoked_secret_ends_within_two_seconds_on_open_connections(target: Target) -> None:
    target.command("devices", "add", "spare", "--sensors", "spare")
    printed = target.command("devices", "rotate", "spare")
    (secret,) = (word for word in printed.split() if len(word) == 43)
    target.secrets["spare"] = secret
    assert target.post("spare", "spare").status_code == HTTPStatus.CREATED  # at once
    reading = {"type": "temp", "value": 21.5, "sensor_id": "spare"}
    headers = {"Authorization": f"Bearer {secret}"}

    wait_for(lambda: target.lets_in("spare"), what="the broker to know the device")
    with target.connect("spare") as client, httpx.Client(base_url=target.url) as http:

        def status() -> int:
            return http.post("/data", json=reading, headers=headers).status_code

        assert status() == HTTPStatus.CREATED
        target.command("devices", "remove", "spare")
        wait_for(lambda: client.losses, 2, "the broker to end the connection")
        wait_for(lambda: status() == HTTPStatus.UNAUTHORIZED, 2, "401")
    assert not target.lets_in("spare")


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", None])
def test_a_web_page_of_somebody_else_posts_nothing(
    target: Target, content_type: str | None
) -> None:
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    if content_type:
        headers["Content-Type"] = content_type
    headers["Authorization"] = f"Bearer {target.secrets['kitchen']}"
    body = b'{"type":"temp","value":1,"sensor_id":"kitchen"}'
    response = httpx.post(f"{target.url}/data", content=body, headers=headers)
    assert response.status_code == HTTPStatus.FORBIDDEN
    assert "access-control-allow-origin" not in response.headers


def test_nobody_drops_the_database(target: Target) -> None:
    drop = {"q": "DROP DATABASE iot"}
    headers = {"Origin": "https://evil.example"}
    answer = httpx.post(f"{target.influx_url}/query", data=drop, headers=headers)
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    reader = httpx.BasicAuth("auditor", target.secret("influx-auditor"))
    assert httpx.post(f"{target.influx_url}/query", data=drop, auth=reader).status_code == 403
    shown = httpx.get(f"{target.influx_url}/query", params={"q": "SHOW DATABASES"}, auth=reader)
    assert '"iot"' in shown.text
    write = httpx.post(
        f"{target.influx_url}/write", params={"db": "iot"}, content="data value=1", auth=reader
    )
    assert write.status_code == HTTPStatus.FORBIDDEN


def test_guessing_slows_down_and_the_right_secret_still_works(target: Target) -> None:
    statuses = [
        httpx.post(f"{target.url}/data", json={}, headers={"Authorization": f"Bearer guess{i}"})
        for i in range(40)
    ]
    assert {one.status_code for one in statuses} == {401, 429}
    slow = next(one for one in statuses if one.status_code == HTTPStatus.TOO_MANY_REQUESTS)
    assert int(slow.headers["retry-after"]) >= 1
    assert target.post("kitchen", "kitchen").status_code == HTTPStatus.CREATED


def test_many_idle_connections_do_not_keep_others_out(target: Target) -> None:
    idle = []
    try:
        for _ in range(300):
            idle.append(socket.create_connection(("127.0.0.1", target.ports["COLLECTOR_PORT"])))
            idle[-1].sendall(b"POST /data HTTP/1.1\r\nContent-Length: 10\r\n")
            idle.append(socket.create_connection(("127.0.0.1", target.ports["MQTT_PORT"])))
            idle[-1].sendall(b"\x10\x7f")
        assert target.post("kitchen", "kitchen").status_code == HTTPStatus.CREATED
        with target.connect("kitchen") as kitchen:
            kitchen.subscribe("accepted/kitchen")
            kitchen.publish("devices/kitchen/temp", '{"value": 1, "ref": 11}')
            kitchen.wait_message("accepted/kitchen", 20)
    finally:
        for one in idle:
            one.close()


def test_no_secret_is_where_others_may_look(target: Target) -> None:
    names = OWNERS.keys() - {"broker.passwd"}
    known = {name: target.secret(name).encode() for name in names}
    known |= {name: secret.encode() for name, secret in target.secrets.items()}
    assert all(len(secret) >= 43 for secret in known.values())
    traces = target.traces()
    assert len(traces) > 5, sorted(traces)
    found = [(n, where) for where, seen in traces.items() for n, s in known.items() if s in seen]
    assert found == []
