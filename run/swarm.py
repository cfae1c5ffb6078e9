"""The secrets and configs of a swarm, and the services that use them.

Neither can be changed, only replaced: a new one takes the place of the old one in each service,
and then gets the name of the old one, by which docker-stack.yml knows it.
"""

import hashlib
import sys
import time
from collections.abc import Mapping
from typing import Any

import docker

from telemetry.process import ServiceError

PREFIX = "iot_"
_DIGEST = "iot.digest"
_UPDATE_S = 600.0
_FAILED = {"paused", "rollback_started", "rollback_completed", "rollback_paused"}

Contents = Mapping[str, bytes]
Found = Any  # the SDK has no types: a secret, a config or a service


class SwarmError(ServiceError):
    """The swarm is not what it should be; the text says why."""


class Swarm:
    """The secrets (`kind`: secret) or configs (config) whose names begin with PREFIX."""

    def __init__(self, client: docker.DockerClient, kind: str) -> None:
        self._client = client
        self._kind = kind
        self._all = getattr(client, f"{kind}s")

    def changed(self, contents: Contents) -> list[str]:
        """Return the names of those that the swarm has with another content."""
        return [
            name
            for name, content in contents.items()
            if (found := self._find(PREFIX + name))
            and found.attrs["Spec"]["Labels"].get(_DIGEST) != _digest(content)
        ]

    def put(self, contents: Contents) -> None:
        """Make what is missing, and replace what has changed; raises SwarmError."""
        for name, content in contents.items():
            if not self._find(PREFIX + name):
                self._create(PREFIX + name, content)
        if changed := self.changed(contents):
            self._replace({name: contents[name] for name in changed})

    def _replace(self, contents: Contents) -> None:
        current = {}
        for name, content in contents.items():
            full = f"{PREFIX}{name}_{_digest(content)[:8]}"
            current[name] = self._find(full) or self._create(full, content)
        for service in self._client.services.list():
            self._swap(service, current)
        for name, content in contents.items():
            for one in self._all.list():
                if _is_of(one.name, name) and one.id != current[name].id:
                    one.remove()
            self._create(PREFIX + name, content)

    def _swap(self, service: Found, current: Mapping[str, Found]) -> None:
        """Let a service use the current ones."""
        template = service.attrs["Spec"]["TaskTemplate"]
        kind = self._kind.capitalize()
        is_other = False
        for used in template["ContainerSpec"].get(f"{kind}s") or []:
            for name, new in current.items():
                if _is_of(used[f"{kind}Name"], name) and used[f"{kind}ID"] != new.id:
                    used |= {f"{kind}ID": new.id, f"{kind}Name": new.name}
                    is_other = True
        if is_other:
            _update(self._client, service, template)

    def _find(self, full: str) -> Found | None:
        return next((one for one in self._all.list() if one.name == full), None)

    def _create(self, full: str, content: bytes) -> Found:
        _say(f"{self._kind} {full}")
        return self._all.create(name=full, data=content, labels={_DIGEST: _digest(content)})


def _update(client: docker.DockerClient, service: Found, template: dict[str, Any]) -> None:
    """Replace the tasks of a service, and wait for the last of them."""
    _say(f"service {service.name}: its tasks are replaced, one after the other")
    client.api.update_service(
        service.id, service.version, task_template=template, fetch_current_spec=True
    )
    deadline = time.monotonic() + _UPDATE_S
    while time.monotonic() < deadline:
        time.sleep(0.5)
        service.reload()
        status = service.attrs.get("UpdateStatus", {})
        if status.get("State") == "completed":
            return
        if status.get("State") in _FAILED:
            raise SwarmError(f"service {service.name}: {status.get('Message')}")
    raise SwarmError(f"service {service.name}: not updated within {_UPDATE_S:g} s")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")  # stdout is for the secrets of devices


def _is_of(full: str, name: str) -> bool:
    return full == PREFIX + name or full.startswith(f"{PREFIX}{name}_")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
