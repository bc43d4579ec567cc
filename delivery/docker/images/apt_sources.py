"""The machine's own Debian archive: packages are fetched from it, and the images made of them are told of it."""

import logging
import os
import platform
import time
from collections.abc import Iterable
from functools import cache as once
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from delivery.errors import Misconfigured
from delivery.model import Model
from delivery.programs.run import run

MIRROR = "HEADWAY_DEBIAN_MIRROR"
LISTS_LIVE_SECONDS = 12 * 3600
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
OWN = Path("/etc/apt")
RELEASE = "bookworm"
SUITES = (RELEASE, f"{RELEASE}-updates", f"{RELEASE}-security")
NEXT_STEP = f"set {MIRROR} to the address of a Debian archive, see docs/stand-ins.md"

_FIELDS = ("ORIGIN", "CODENAME", "COMPONENT", "RELEASE", "FILENAME", "REPO_URI")
_log = logging.getLogger("headway.builder")


class Source(Model):
    """One suite of one archive."""

    address: str
    suite: str


def prepare_apt(cache: Path, *, update: bool = True) -> Path:
    """Return the configuration of an apt with nothing installed and a state of its own in `cache`.

    Its lists are at most half a day old; without `update` they may be older. One caller at a time. Raises
    Misconfigured when the machine has no Debian archive, CommandFailed when it does not answer.
    """
    folder = cache / "apt"
    mirrors = named_mirrors()
    if mirrors and not KEYRING.exists():
        raise Misconfigured("this machine", f"has no {KEYRING}", next_step="apt-get install debian-archive-keyring")
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    changed = [name for name, text in apt_configuration(folder, mirrors).items() if _put(folder / name, text)]
    configuration, updated = folder / "apt.conf", folder / "updated"
    if changed or not _is_recent(updated, since=0 if mirrors else _own_sources_changed(), forever=not update):
        updated.unlink(missing_ok=True)
        run(["apt-get", "update", "-q"], timeout_seconds=300, env={"APT_CONFIG": str(configuration), "LC_ALL": "C"})
        updated.touch()
    return configuration


def named_mirrors() -> tuple[str, ...]:
    """Return the archive and its security archive that the environment names; none: the machine's own are used.

    Raises Misconfigured for what is no address, and on a machine that is not Debian 12 when none is named.
    """
    named = os.environ.get(MIRROR, "").split()
    if not named:
        system = platform.freedesktop_os_release()
        if system.get("VERSION_CODENAME") == RELEASE and system.get("ID") == "debian":
            return ()
        what = system.get("PRETTY_NAME", "unknown")
        raise Misconfigured("this machine", f"is {what}: its apt has no packages of Debian 12", next_step=NEXT_STEP)
    for address in named:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or len(named) > 2:
            found = _without_password(address) if len(named) <= 2 else f"{len(named)} words"
            allowed = "http://HOST/PATH of a Debian archive, and after a space that of its security archive"
            note = "a password belongs into /etc/apt/auth.conf.d" if parts.username else NEXT_STEP
            raise Misconfigured(MIRROR, found, allowed, note)
    archive = named[0].rstrip("/")
    return (archive, named[1].rstrip("/") if len(named) == 2 else f"{archive}-security")


def apt_configuration(folder: Path, mirrors: tuple[str, ...]) -> dict[str, str]:
    """Return the files that give apt a state of its own in `folder`, with nothing installed: name → text."""
    settings = {
        "Dir::State::status": "/dev/null",
        "Dir::State::lists": f"{folder}/lists",
        "Dir::Cache": f"{folder}",
        "Dir::Cache::archives": f"{folder}/archives",
        "Dir::Etc::preferences": f"{folder}/preferences",
        "APT::Sandbox::User": "root",
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
    }
    if mirrors:
        settings |= {"Dir::Etc::sourcelist": f"{folder}/sources.list", "Dir::Etc::sourceparts": "/dev/null"}
    pins = "\n".join(f"Package: *\nPin: release o=Debian,n={suite}\nPin-Priority: 990\n" for suite in SUITES)
    sources = [
        f"deb [signed-by={KEYRING}] {mirrors[suite.endswith('-security')]} {suite} main\n"
        for suite in SUITES
        if mirrors
    ]
    return {
        "apt.conf": "".join(f'{key} "{value}";\n' for key, value in settings.items()),
        "preferences": pins,
        "sources.list": "".join(sources),
    }


def image_sources(cache: Path) -> str:
    """Return the apt sources for an image of Debian 12: those of this machine that a container can use, as deb822.

    One caller at a time. Passwords stay out, which is warned of. Raises Misconfigured when none is left.
    """
    configuration = prepare_apt(cache, update=False)
    return _sources_of(configuration, (configuration.parent / "updated").stat().st_mtime)


@once
def _sources_of(configuration: Path, _fetched: float) -> str:
    env = {"APT_CONFIG": str(configuration), "LC_ALL": "C"}
    line = "\t".join(f"$({field})" for field in _FIELDS)
    done = run(["apt-get", "indextargets", "--format", line, "Created-By: Packages"], timeout_seconds=60, env=env)
    found = tuple(dict.fromkeys(usable_sources(line.split("\t") for line in done.stdout.splitlines())))
    if not found:
        raise Misconfigured(
            "the apt sources of this machine",
            "none is Debian's own bookworm main by http or https",
            next_step=NEXT_STEP,
        )
    return sources_text(found)


def sources_text(sources: tuple[Source, ...]) -> str:
    """Return the sources as the text of a `.sources` file, one paragraph for each archive."""
    suites: dict[str, list[str]] = {}
    for source in sources:
        suites.setdefault(source.address, []).append(source.suite)
    return "\n".join(
        f"Types: deb\nURIs: {address}\nSuites: {' '.join(names)}\nComponents: main\nSigned-By: {KEYRING}\n"
        for address, names in suites.items()
    )


def usable_sources(rows: Iterable[list[str]]) -> Iterable[Source]:
    """Yield those of apt's index targets that are Debian's own and that a container can reach and trust."""
    for origin, codename, component, suite, filename, address in rows:
        if (origin, component) != ("Debian", "main") or codename not in SUITES:
            continue
        if urlsplit(address).scheme not in ("http", "https"):
            _log.warning("stand-ins know nothing of the apt source %s: no container can reach it", address)
            continue
        if not _signed_by_debian(filename):
            _log.warning("stand-ins know nothing of the apt source %s: Debian did not sign it", address)
            continue
        open_address = _without_password(address)
        if open_address != address:
            _log.warning("stand-ins know the apt source %s without its password", open_address)
        yield Source(address=open_address, suite=suite)


def _signed_by_debian(index: str) -> bool:
    """Whether Debian's own key signed the release that an index belongs to, so that an image can verify it."""
    release = index.partition("_main_binary-")[0]
    signed = [f"{release}_InRelease"] if Path(f"{release}_InRelease").exists() else []
    if not signed and Path(f"{release}_Release.gpg").exists():
        signed = [f"{release}_Release.gpg", f"{release}_Release"]
    if not signed or not KEYRING.exists():
        return False
    argv = ["gpgv", "--status-fd", "1", "--keyring", str(KEYRING), *signed]
    # One of its several signatures is enough: an older keyring does not have all of the keys.
    return "[GNUPG:] VALIDSIG" in run(argv, timeout_seconds=60, env={"LC_ALL": "C"}, accept=range(256)).stdout


def _without_password(address: str) -> str:
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _put(path: Path, text: str) -> bool:
    """Write a file unless it is so already; return whether it was another one."""
    if path.exists() and path.read_text() == text:
        return False
    path.write_text(text)
    return True


def _own_sources_changed() -> float:
    files = [OWN / "sources.list", OWN / "sources.list.d", *(OWN / "sources.list.d").glob("*")]
    return max((path.stat().st_mtime for path in files if path.exists()), default=0)


def _is_recent(mark: Path, *, since: float, forever: bool) -> bool:
    """Whether the lists were fetched after `since`, and within half a day unless they may be older."""
    if not mark.exists():
        return False
    fetched = mark.stat().st_mtime
    return fetched > since and (forever or time.time() - fetched < LISTS_LIVE_SECONDS)
