"""A small disk for the outbox, which a test can fill."""

import contextlib
import os
import re
import subprocess
from pathlib import Path


class Disk:
    """A tmpfs on `path`; only root can mount one."""

    def __init__(self, path: Path, *, megabytes: int) -> None:
        self.path = path
        self._ballast = path / "ballast"
        path.mkdir(parents=True)
        _unmount_leftovers()
        options = ["-o", f"size={megabytes}m", f"chaos-{os.getpid()}"]
        subprocess.run(["mount", "-t", "tmpfs", *options, str(path)], check=True)

    @staticmethod
    def possible() -> bool:
        return os.geteuid() == 0

    def fill(self, *, leave: int = 0) -> None:
        """Use up all space but `leave` bytes."""
        with self._ballast.open("ab") as ballast:
            while (take := self._available() - leave) > 0:
                # A service that writes at the same moment may leave less than was asked for.
                with contextlib.suppress(OSError):
                    os.posix_fallocate(ballast.fileno(), ballast.tell(), take)
                    ballast.seek(0, os.SEEK_END)

    def _available(self) -> int:
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Remove the disk and its contents. No process may still use it."""
        subprocess.run(["umount", str(self.path)], check=True)


def _unmount_leftovers() -> None:
    """Unmount the disks of runs that were killed; a disk's name contains the pid of its run."""
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        device, path, *_ = line.split()
        owner = re.fullmatch(r"chaos-(\d+)", device)
        if owner and not Path(f"/proc/{owner[1]}").exists():
            subprocess.run(["umount", path], check=True)
