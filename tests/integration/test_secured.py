"""The promise with accounts, and with TLS between all parts: kill -9 of each loses nothing."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.integration.poster import Poster
from tests.secured import Accounts
from tests.stack import Stack, wait_for

KILLED = ("broker", "bridge", "collector", "influx")


@pytest.mark.parametrize("tls", [False, True])
def test_what_is_accepted_is_stored_whatever_is_killed(tmp_path: Path, *, tls: bool) -> None:
    stack = Stack(tmp_path)
    accounts = Accounts(stack, tmp_path)
    options: dict[str, Any] = {"headers": {"Authorization": f"Bearer {accounts.token}"}}
    if tls:
        authority = accounts.speak_tls()
        options["base_url"] = stack.collector.url.replace("http://", "https://")
        options["verify"] = ssl.create_default_context(cafile=authority.path)
    with stack:
        with Poster(stack.collector, "secured", **options) as poster:
            for name in KILLED:
                poster.wait_accepted(50)
                part = getattr(stack, name)
                part.kill()
                part.start()
                part.wait_ready()
            poster.wait_accepted(50)
        query = "SELECT value FROM data WHERE sensor_id = 'secured'"
        wait_for(lambda: len(stack.influx.query(query)) >= len(poster.accepted), 30, "all stored")
        assert poster.accepted <= {row["time"] for row in stack.influx.query(query)}


def test_without_the_right_authority_nothing_is_stored(tmp_path: Path) -> None:
    """The control: the parts do speak TLS, and look whom to."""
    stack = Stack(tmp_path)
    accounts = Accounts(stack, tmp_path)
    accounts.speak_tls()
    stack.bridge.env["MQTT_TLS_CA"] = "/etc/ssl/certs/ca-certificates.crt"
    try:
        stack.start("broker", "influx", "collector")
        stack.bridge.start()
        said = "TLS: its certificate is of an unknown authority"
        wait_for(lambda: said in stack.bridge.log_text(), what="the bridge's log")
        assert not stack.bridge.is_ready()
    finally:
        stack.stop()
