"""With a clean session, what was not acknowledged is the caller's to send again."""

import pytest

from tests.integration.client import Client, run, until
from tests.integration.script import Script


@pytest.mark.parametrize("clean", [True, False])
def test_what_was_not_acknowledged_is_forgotten(*, clean: bool) -> None:
    script = Script()

    async def scenario() -> None:
        async with script.listening():
            client = Client(script.port, clean_session=clean)
            async with client.running():
                client.mqtt.publish("t", b"first")
                await until(lambda: len(script.publishes()) == 1)
                script.writers[0].close()
                await until(lambda: len(client.sessions) == 2)
                assert client.mqtt.unacknowledged == (0 if clean else 1)
                client.mqtt.publish("t", b"second")
                await until(lambda: b"second" in [payload for _, _, payload in script.publishes()])
        redelivered = [] if clean else [b"first"]
        payloads = [payload for _, _, payload in script.publishes()]
        assert payloads == [b"first", *redelivered, b"second"]

    run(scenario())
