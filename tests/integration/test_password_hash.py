"""The hashes of secrets are those of the installed Mosquitto."""

import subprocess
from pathlib import Path

from collector.access import register


def test_the_hash_is_the_one_that_mosquitto_writes(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    file.touch(0o600)
    subprocess.run(["mosquitto_passwd", "-b", file, "kitchen", "a secret"], check=True)
    line = file.read_text().strip().removeprefix("kitchen:")
    assert register.is_password(line, "a secret")
    assert not register.is_password(line, "another")
    assert register.is_password(register.password_line("a secret"), "a secret")
