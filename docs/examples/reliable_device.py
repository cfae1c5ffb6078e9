"""A device that loses nothing: what it measures stays in a file until the collector has it.

pip install paho-mqtt
python reliable_device.py localhost 1883 kitchen readings.db [NAME FILE_WITH_ITS_SECRET [CA_CRT]]

With the file of an authority it speaks TLS: then the port is 8883, mostly.
"""

import json
import random
import secrets
import sqlite3
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

SCHEMA = "CREATE TABLE IF NOT EXISTS readings (id INTEGER PRIMARY KEY, reading TEXT NOT NULL)"
MEASURE_S = 1
RESEND_S = 5
MAX_READINGS = 200  # in one message, which may have 64 KiB


def measure(file: sqlite3.Connection, sensor: str) -> None:
    """Put a reading into the file. With its time: sent twice, it is the same point."""
    ts = datetime.now(UTC).isoformat()
    reading = {"ts": ts, "type": "temp", "value": random.uniform(18, 24), "sensor_id": sensor}
    with file:  # commits: from here on the reading survives a crash, and a loss of power
        file.execute("INSERT INTO readings (reading) VALUES (?)", [json.dumps(reading)])


class Sender:
    """Sends what is in the file, one message at a time, and deletes what is answered."""

    def __init__(self, host: str, port: int, sensor: str, path: str) -> None:
        self.sensor = sensor
        self.path = path
        self.ids: list[int] = []  # of the readings in the message that has no answer yet
        self.ref = ""
        self.resend_at = 0.0
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.on_connect = self.on_connect
        self.client.on_message = self.on_message
        self.client.connect_async(host, port)

    def run(self) -> None:
        """Send and receive for ever."""
        self.file = sqlite3.connect(self.path)
        while True:
            if self.client.is_connected() and time.monotonic() >= self.resend_at:
                self.send()
            if self.client.loop(0.1) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                time.sleep(0.5)
                try:
                    self.client.reconnect()
                except OSError as error:  # the readings wait in the file
                    print("no connection:", error, file=sys.stderr)

    def send(self) -> None:
        """Publish the oldest readings: new ones, or again those that have no answer."""
        query = "SELECT id, reading FROM readings ORDER BY id LIMIT ?"
        rows = self.file.execute(query, [len(self.ids) or MAX_READINGS]).fetchall()
        if not rows:
            return
        if not self.ids:
            self.ids = [number for number, _ in rows]
            self.ref = secrets.token_hex(8)
        readings = ",".join(reading for _, reading in rows)
        payload = f'{{"ref":"{self.ref}","readings":[{readings}]}}'
        self.client.publish(f"devices/{self.sensor}", payload, qos=1)
        self.resend_at = time.monotonic() + RESEND_S

    def on_connect(self, client: Client, *_: object) -> None:
        """Subscribe to the answers before anything is sent."""
        client.subscribe([(f"accepted/{self.sensor}", 1), (f"refused/{self.sensor}", 1)])
        self.resend_at = 0.0

    def on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        """Let go of what is accepted, and of what will never be."""
        try:
            answer = json.loads(message.payload)
            if answer["ref"] != self.ref:
                return
        except (ValueError, TypeError, KeyError):
            return  # no answer: anybody may publish there
        if "retry_after" in answer:  # refused for now only: too much in too short a time
            return
        ids = self.ids
        if message.topic.startswith("refused/"):  # nothing of it was taken, because of some
            print("refused:", answer["errors"], file=sys.stderr)
            indexes = {error["index"] for error in answer["errors"] if "index" in error}
            ids = [self.ids[index] for index in indexes] or self.ids
        self.delete(ids)

    def delete(self, ids: list[int]) -> None:
        """Delete readings; what is left goes into another message."""
        with self.file:
            self.file.executemany("DELETE FROM readings WHERE id = ?", [[one] for one in ids])
        self.ids, self.ref, self.resend_at = [], "", 0.0


def main(host: str, port: str, sensor: str, path: str, *account: str) -> None:
    """Measure and send, each in its own thread: no measurement waits for the network."""
    file = sqlite3.connect(path)
    file.execute(SCHEMA)
    sending = Sender(host, int(port), sensor, path)
    if account:  # of the identity: without one, a device is anonymous
        name, secret, *authority = account
        sending.client.username_pw_set(name, Path(secret).read_text(encoding="utf-8").strip())
        if authority:
            sending.client.tls_set(authority[0])
    sender = Thread(target=sending.run, daemon=True)
    sender.start()
    while sender.is_alive():
        measure(file, sensor)
        time.sleep(MEASURE_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
