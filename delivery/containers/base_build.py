"""Building a base image from Debian packages with the host's apt."""

import platform
import shutil
import sys
import time
from pathlib import Path

from docker.errors import APIError, BuildError
from filelock import FileLock

from delivery.containers.client import connect
from delivery.containers.stand_ins import Recipe
from delivery.errors import Misconfigured, Rejected
from delivery.programs.run import run

LABEL_BASE = "headway.base"  # not a ledger label: images built from the base inherit it
LISTS_LIVE_SECONDS = 12 * 3600
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SUITES = ("bookworm", "bookworm-updates", "bookworm-security")


def build_base(recipe: Recipe, cache: Path, host: str | None = None) -> str:
    """Build the recipe's image on the engine and return its name; `cache` keeps what was downloaded.

    One caller at a time for each recipe. Raises Misconfigured when this machine cannot build it, Rejected when a
    download or the build failed.
    """
    needed = [name for name in ("apt-get", "dpkg-deb", "tar", "awk") if not shutil.which(name)]
    if needed:
        raise Misconfigured("this machine", f"has no {', '.join(needed)}", "Debian or Ubuntu")
    client = connect(host, timeout_seconds=600)
    there = client.info()["Architecture"]
    if there != platform.machine():
        raise Misconfigured("the Docker engine", f"runs on {there}", f"{platform.machine()}, as this machine")

    folder = cache / "building" / recipe.tag.replace("/", "-").replace(":", "-")
    shutil.rmtree(folder, ignore_errors=True)  # of a build that was killed
    folder.mkdir(parents=True)
    try:
        with FileLock(cache / "apt.lock"):
            env = {"APT_CONFIG": str(_prepare_apt(cache)), "PYTHON": sys.executable, "LC_ALL": "C"}
            _script(recipe, folder, cache, "fetch", env)
        _script(recipe, folder, cache, "make", env)
        client.images.build(
            path=str(folder / "image"), tag=recipe.tag, labels={LABEL_BASE: recipe.kind}, rm=True, forcerm=True
        )
    except (BuildError, APIError) as error:
        raise Rejected(f"building {recipe.tag} failed: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return recipe.tag


def apt_configuration(folder: Path, *, own_sources: bool) -> dict[str, str]:
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
    if own_sources:
        settings |= {"Dir::Etc::sourcelist": f"{folder}/sources.list", "Dir::Etc::sourceparts": "/dev/null"}
    pins = "\n".join(f"Package: *\nPin: release o=Debian,n={suite}\nPin-Priority: 990\n" for suite in SUITES)
    mirror = "http://deb.debian.org"
    sources = [
        f"deb [signed-by={KEYRING}] {mirror}/debian{'-security' * suite.endswith('-security')} {suite} main"
        for suite in SUITES
    ]
    return {
        "apt.conf": "".join(f'{key} "{value}";\n' for key, value in settings.items()),
        "preferences": pins,
        "sources.list": "\n".join(sources) + "\n",
    }


def _prepare_apt(cache: Path) -> Path:
    folder = cache / "apt"
    bookworm = platform.freedesktop_os_release().get("VERSION_CODENAME") == "bookworm"
    if not bookworm and not KEYRING.exists():
        raise Misconfigured("this machine", f"has no {KEYRING}", next_step="apt-get install debian-archive-keyring")
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, text in apt_configuration(folder, own_sources=not bookworm).items():
        (folder / name).write_text(text)
    configuration, updated = folder / "apt.conf", folder / "updated"
    if not updated.exists() or time.time() - updated.stat().st_mtime > LISTS_LIVE_SECONDS:
        run(["apt-get", "update", "-q"], timeout_seconds=300, env={"APT_CONFIG": str(configuration), "LC_ALL": "C"})
        updated.touch()
    return configuration


def _script(recipe: Recipe, folder: Path, cache: Path, step: str, env: dict[str, str]) -> None:
    run(["sh", str(recipe.script), recipe.kind, str(folder), str(cache), step], timeout_seconds=900, env=env)
