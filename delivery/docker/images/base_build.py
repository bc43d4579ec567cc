"""Building a base image from Debian packages with the host's apt."""

import io
import json
import platform
import shutil
import sys
import tarfile
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from docker import DockerClient
from docker.errors import APIError, BuildError, ImageNotFound
from filelock import BaseFileLock, FileLock

from delivery.docker.engine.client import connect
from delivery.docker.engine.outcome import wait_for_end
from delivery.docker.images.apt_sources import image_sources, prepare_apt
from delivery.docker.images.stand_ins import Recipe
from delivery.errors import Misconfigured, Rejected
from delivery.programs.run import run

LABEL_BASE = "headway.base"  # not a ledger label: images built from the base inherit it
BUILD_SECONDS = 900
STATUS = "/var/lib/dpkg/status"
# Everything it needs lies in /debs; what is left of the installation is nothing that a layer should hold.
INSTALL = """
set -e
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true
apt-get install -q -y --no-install-recommends -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io /debs/*.deb
dpkg --audit
rm -rf /debs /var/log/apt /var/log/*.log /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/cache/ldconfig
"""


def tag_of(recipe: Recipe, cache: Path) -> str:
    """Return the name of the recipe's image on this machine, whose apt sources may be part of it.

    Raises Misconfigured when they are, and there are none.
    """
    if not recipe.has_apt:
        return recipe.tag("")
    _check_programs()
    with apt_alone(cache):
        return recipe.tag(image_sources(cache))


def check_machine(host: str | None = None) -> None:
    """Return when base images can be built here; Misconfigured, saying what is missing, when not."""
    _check_programs()
    there = connect(host).info()["Architecture"]
    if there != platform.machine():
        raise Misconfigured("the Docker engine", f"runs on {there}", f"{platform.machine()}, as this machine")


def _check_programs() -> None:
    needed = [name for name in ("apt-get", "dpkg-deb", "tar", "awk") if not shutil.which(name)]
    if needed:
        raise Misconfigured("this machine", f"has no {', '.join(needed)}", "Debian or Ubuntu")


def build_base(recipe: Recipe, tag: str, cache: Path, host: str | None = None, *, below: str = "") -> str:
    """Build the recipe's image on the engine as `tag` and return that; `cache` keeps what was downloaded.

    `below` is the image it starts from. One caller at a time for each recipe. Raises Misconfigured when this machine
    cannot build it, Rejected when a download or the build failed.
    """
    check_machine(host)
    client = connect(host, timeout_seconds=BUILD_SECONDS)
    folder = cache / "building" / tag.replace("/", "-").replace(":", "-")
    shutil.rmtree(folder, ignore_errors=True)  # of a build that was killed
    folder.mkdir(parents=True)
    try:
        _build(client, recipe, tag, folder, cache, below)
    except (BuildError, APIError) as error:
        raise Rejected(f"building {tag} failed: {_reason(error)}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return tag


def _build(client: DockerClient, recipe: Recipe, tag: str, folder: Path, cache: Path, below: str) -> None:
    making = "start" if recipe.start else recipe.making
    if below:
        (folder / "status").write_bytes(_status_in(client, below))
    with apt_alone(cache):
        if making == "debian":
            (folder / "sources").write_text(image_sources(cache))
        apt = prepare_apt(cache) if making != "bare" else Path("/dev/null")
        env = {"APT_CONFIG": str(apt), "PYTHON": sys.executable, "LC_ALL": "C", "MAKING": making}
        _script(recipe, folder, cache, "fetch", env)
    _script(recipe, folder, cache, "make", env)
    packages = below and (folder / "chosen").stat().st_size
    start = _installed(client, below, folder / "debs.tar") if packages else below
    try:
        client.images.build(
            path=str(folder / "image"),
            tag=tag,
            labels={LABEL_BASE: recipe.kind},
            buildargs={"BASE": start},
            rm=True,
            forcerm=True,
        )
    finally:
        if start != below:
            with suppress(ImageNotFound):
                client.images.remove(start, noprune=True)


def _status_in(client: DockerClient, image: str) -> bytes:
    """Return what dpkg knows of the packages in an image."""
    container = client.containers.create(image)
    try:
        chunks, _ = container.get_archive(STATUS)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            file = archive.extractfile(Path(STATUS).name)
            return file.read() if file else b""
    finally:
        container.remove(force=True, v=True)


def _installed(client: DockerClient, image: str, debs: Path) -> str:
    """Install the packages in the archive `debs` on top of an image and return the name of what came out."""
    container = client.containers.create(image, ["sh", "-c", INSTALL], network_mode="none")
    try:
        with debs.open("rb") as archive:
            container.put_archive("/", archive)
        container.start()
        code = wait_for_end(container, BUILD_SECONDS)
        if code != 0:
            lines = container.logs(tail=5).decode(errors="replace").strip()
            raise Rejected(f"the packages could not be installed on top of {image}: exit code {code}\n{lines}")
        command = json.dumps(client.images.get(image).attrs["Config"]["Cmd"])
        name = f"{image.partition(':')[0]}:with-packages-{token_hex(6)}"
        repository, _, tag = name.partition(":")
        container.commit(repository, tag, changes=f"CMD {command}")
        return name
    finally:
        container.remove(force=True, v=True)


def _reason(error: Exception) -> str:
    """Return why a build failed, with the last lines it printed: the engine's own message names the step alone."""
    log = getattr(error, "build_log", ())
    printed = "".join(str(event.get("stream", "")) for event in log if isinstance(event, dict)).splitlines()
    return "\n".join([str(error), *[line for line in printed if line.strip()][-5:]])


def _script(recipe: Recipe, folder: Path, cache: Path, step: str, env: dict[str, str]) -> None:
    argv = ["sh", str(recipe.script), recipe.kind, str(folder), str(cache), step]
    # Not in the user's folder: Python would take a queue.py or secrets.py that lies there for its own.
    run(argv, timeout_seconds=BUILD_SECONDS, env=env, cwd=folder)


def apt_alone(cache: Path) -> BaseFileLock:
    """Return the lock of whoever uses apt's lists in the cache: apt itself waits for nobody."""
    cache.mkdir(parents=True, exist_ok=True)
    return FileLock(cache / "apt.lock")
