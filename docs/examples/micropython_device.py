"""A board with MicroPython that keeps its readings in memory until the collector has them.

umqtt.simple is in the firmware, or installed by `mpremote mip install umqtt.simple`. The board is
in the network already; see network.WLAN.
"""

import json
import ssl
import time

import machine
import ntptime
from umqtt.simple import MQTTClient, MQTTException

BROKER, PORT = "192.168.1.10", 1883
NAME, SECRET = None, None  # of its identity, if it has one
CA = None  # a file with the authority, and TLS with it: BROKER is the certificate's name, PORT 8883
SENSOR = "greenhouse"
MEASURE_MS = 10_000
ANSWER_MS = 10_000
MAX_KEPT = 500

adc = machine.ADC(26)
kept = []  # (ts, value) of what is not accepted, the oldest first; lost when the board restarts
sent = None  # the ts of the reading that has no answer yet, and since when
sent_at = 0


def set_clock():
    """Take the time from the network, however long that takes."""
    while True:
        try:
            return ntptime.settime()
        except OSError:
            time.sleep(1)


def trust():
    """Return what knows the authority; without asking for it, MicroPython verifies nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cafile=CA)
    return context


def measure():
    """Keep a reading with its time. Without it, one that is sent twice would be two."""
    ts = "%04d-%02d-%02dT%02d:%02d:%02dZ" % time.gmtime()[:6]
    kept.append((ts, adc.read_u16() * 3.3 / 65535))
    if len(kept) > MAX_KEPT:
        kept.pop(0)


def connect():
    """Subscribe to the answers before anything is sent; what has no answer is sent again."""
    global sent
    tls = trust() if CA else None
    client = MQTTClient("device-" + SENSOR, BROKER, PORT, NAME, SECRET, ssl=tls)
    client.set_callback(on_answer)
    client.connect()
    client.subscribe("accepted/" + SENSOR)
    client.subscribe("refused/" + SENSOR)
    sent = None
    return client


def on_answer(topic, message):
    """Let go of a reading that is accepted, and of one that never will be."""
    global sent
    try:
        answer = json.loads(message)
        ref = answer["ref"]
    except (ValueError, TypeError, KeyError):
        return  # no answer: anybody may publish there
    # With `retry_after` it is refused for now only: too much in too short a time.
    if kept and ref == kept[0][0] and "retry_after" not in answer:
        if topic.startswith(b"refused/"):
            print(message)
        kept.pop(0)
        sent = None


def exchange(client):
    """Send the oldest reading, and see whether there is an answer."""
    global sent, sent_at
    if kept and sent != kept[0][0]:
        ts, value = kept[0]
        # QoS 0: the answer is what counts, and nothing waits for a PUBACK.
        message = json.dumps({"ts": ts, "value": value, "ref": ts})
        client.publish("devices/%s/moisture" % SENSOR, message)
        sent, sent_at = ts, time.ticks_ms()
    client.check_msg()
    if sent and time.ticks_diff(time.ticks_ms(), sent_at) > ANSWER_MS:
        raise OSError("no answer")


def main():
    """Measure on schedule, and send what is kept."""
    set_clock()
    client = None
    measured_at = time.ticks_ms() - MEASURE_MS
    while True:
        if time.ticks_diff(time.ticks_ms(), measured_at) >= MEASURE_MS:
            measured_at = time.ticks_add(measured_at, MEASURE_MS)
            measure()
        try:
            client = client or connect()
            exchange(client)
        except (OSError, IndexError, MQTTException) as error:
            print("not sent:", error)
            client = None
        time.sleep_ms(100)


if __name__ == "__main__":
    main()
