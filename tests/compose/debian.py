"""Debian's archive: its mirror, a release's root file system, a package of another release."""

import shutil
import subprocess
from pathlib import Path

from run.configuration import SEARCH_PATH
from run.packages import require

RELEASE = "trixie"
# What an image does not need: 130 MB after debootstrap.
LEFT_OUT = (
    "./dev/*",
    "./usr/share/doc/*",
    "./usr/share/locale/*",
    "./usr/share/man/*",
    "./var/cache/*",
    "./var/lib/apt/lists/*",
    "./var/log/*",
)
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def _output(*argv: str, cwd: Path | None = None) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr}"
        )
    return done.stdout


def mirror() -> str:
    """Return the mirror that this machine's own packages come from."""
    _output("apt-get", "update", "--quiet")
    lines = _output(
        "apt-get", "indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(REPO_URI)",
        "Created-By: Packages",
    ).splitlines()  # fmt: skip
    for line in lines:
        origin, component, uri = line.split(" ", 2)
        if (origin, component) == ("Debian", "main") and "security" not in uri:
            return uri
    raise RuntimeError("no mirror of Debian in apt's sources")


def root_file_system(directory: Path, ca_bundle: Path | None) -> Path:
    """Make a tar file of a minimal RELEASE under `directory`; only root can.

    `ca_bundle` replaces the release's own certificates.
    """
    if not shutil.which("debootstrap", path=SEARCH_PATH):
        require(["debootstrap"])
    tree, archive = directory / RELEASE, directory / f"{RELEASE}.tar"
    _output(
        "debootstrap", "--variant=minbase", "--include=ca-certificates", RELEASE, str(tree),
        mirror(),
    )  # fmt: skip
    if ca_bundle:
        shutil.copyfile(ca_bundle, tree / CA_BUNDLE.relative_to("/"))
    leave_out = [f"--exclude={pattern}" for pattern in LEFT_OUT]
    _output("tar", "-C", str(tree), *leave_out, "-cf", str(archive), ".")
    return archive


def unpack(package: str, directory: Path) -> Path:
    """Unpack RELEASE's `package` below `directory` without installing it; return where it is."""
    apt = _apt(RELEASE, directory)
    _output(*apt, "download", package, cwd=directory)
    (archive,) = directory.glob(f"{package}_*.deb")
    target = directory / package
    _output("dpkg-deb", "--extract", str(archive), str(target))
    return target


def unpack_with_libraries(package: str, release: str, directory: Path) -> Path:
    """Unpack a release's `package` and all that it depends on; return their common root.

    Its programs run with the libraries of that release only; see `tests.newest_broker`.
    """
    apt = _apt(release, directory)
    _output(*apt, "install", "--download-only", "--yes", "--no-install-recommends", package)
    root = directory / "root"
    for archive in (directory / "cache" / "archives").glob("*.deb"):
        _output("dpkg-deb", "--extract", str(archive), str(root))
    return root


def _apt(release: str, directory: Path) -> list[str]:
    """Return the command for another release's packages, with its state below `directory`."""
    state, cache = directory / "lists", directory / "cache"
    for created in (state, cache / "archives"):
        (created / "partial").mkdir(parents=True, exist_ok=True)
    sources, status = directory / "sources.list", directory / "status"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror()} {release} main\n", encoding="ascii")
    status.touch()  # nothing is installed
    apt = [
        "apt-get",
        *("-o", f"Dir::Etc::SourceList={sources}"),
        *("-o", "Dir::Etc::SourceParts=/dev/null"),
        *("-o", f"Dir::State::Lists={state}"),
        *("-o", f"Dir::State::Status={status}"),
        *("-o", f"Dir::Cache={cache}"),
        *("-o", "APT::Sandbox::User=root"),
    ]
    _output(*apt, "update")
    return apt
