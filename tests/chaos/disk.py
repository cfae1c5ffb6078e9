"""A small disk of its own under the outbox, which a test can fill."""

import contextlib
import os
import re
import subprocess
from pathlib import Path


class Disk:
    """A tmpfs on `path`; only root can mount one."""

    def __init__(self, path: Path, *, megabytes: int) -> None:
        """Mount it."""
        self.path = path
        self._ballast = path / "ballast"
        path.mkdir(parents=True)
        _unmount_what_was_left_behind()
        options = ["-o", f"size={megabytes}m", f"chaos-{os.getpid()}"]
        subprocess.run(["mount", "-t", "tmpfs", *options, str(path)], check=True)

    @staticmethod
    def possible() -> bool:
        """Whether this user may mount."""
        return os.geteuid() == 0

    def fill(self, *, leave: int = 0) -> None:
        """Take all the room but `leave` bytes."""
        with self._ballast.open("ab") as ballast:
            while (take := self._room() - leave) > 0:
                # Whoever writes here may be faster: then there is less to take.
                with contextlib.suppress(OSError):
                    os.posix_fallocate(ballast.fileno(), ballast.tell(), take)
                    ballast.seek(0, os.SEEK_END)

    def _room(self) -> int:
        room = os.statvfs(self.path)
        return room.f_bavail * room.f_frsize

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Remove the disk and all that is on it; nobody may use it any more."""
        subprocess.run(["umount", str(self.path)], check=True)


def _unmount_what_was_left_behind() -> None:
    """Unmount the disks of runs that were killed: the name says which process mounted it."""
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        device, path, *_ = line.split()
        owner = re.fullmatch(r"chaos-(\d+)", device)
        if owner and not Path(f"/proc/{owner[1]}").exists():
            subprocess.run(["umount", path], check=True)
