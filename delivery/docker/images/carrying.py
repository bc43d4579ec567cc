"""Images of the platform's own registry on another engine, which does not reach it: they are carried there."""

import hashlib
import re
from pathlib import Path

from docker.models.images import Image
from filelock import BaseFileLock, FileLock

from delivery.docker.engine.client import connect
from delivery.errors import Rejected
from delivery.home import Home

CARRY_SECONDS = 1800
PREFIX = "headway-carried"
# Digest in the registry, and the beginning of the engine's own: whoever gives the name to another image is found out.
_NAME = re.compile(rf"{PREFIX}/[^:]+:([0-9a-f]{{64}})-([0-9a-f]{{32}})")


def carried_name(reference: str, image: Image) -> str:
    """Return what `host:port/app/name@sha256:…` is called where it was carried to."""
    repository, _, digest = reference.partition("@")
    name, own = repository.partition("/")[2], str(image.id).partition(":")[2]
    return f"{PREFIX}/{name}:{digest.partition(':')[2]}-{own[:32]}"


def carried_digests(image: Image) -> list[str]:
    """Return the digests under which an image was carried here, in the registry's words."""
    found = (_NAME.fullmatch(tag) for tag in image.tags)
    return [f"sha256:{one[1]}" for one in found if one and str(image.id).startswith(f"sha256:{one[2]}")]


def carry(reference: str, home: Home, host: str) -> str:
    """Give the engine at `host` an image that this machine's has, and return what it is called there.

    It goes through this process as the engine writes it (`docker save`), layers that are there already among it. Raises
    Rejected when another image came out of it: an engine that keeps images in containerd counts otherwise.
    """
    image = connect(timeout_seconds=CARRY_SECONDS).images.get(reference)
    name = carried_name(reference, image)
    with _lock(home.cache, name):
        # The engine writes the names by which it is asked into the archive, and takes no digests as such.
        image.tag(name)
        try:
            carry_name(name, home.cache, host)
        finally:
            connect().images.remove(name, noprune=True)
    there = connect(host)
    if there.images.get(name).id != image.id:
        raise Rejected(f"{reference} is another image at {host}: {there.images.get(name).id}, not {image.id}")
    return name


def carry_name(name: str, cache: Path, host: str) -> None:
    """Give the engine at `host` what this machine's has under a name, unless it has something under it."""
    with _lock(cache, f"{host} {name}"):
        there = connect(host, timeout_seconds=CARRY_SECONDS)
        if not there.images.list(name):
            there.images.load(connect(timeout_seconds=CARRY_SECONDS).api.get_image(name))


def _lock(cache: Path, what: str) -> BaseFileLock:
    locks = cache / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    return FileLock(locks / f"carry-{hashlib.sha256(what.encode()).hexdigest()[:16]}.lock")
