"""Images that stay on the engine that built them, for as long as their run: they are in no registry."""

import contextlib
import json
import tarfile
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from docker.errors import APIError
from docker.models.images import Image

from delivery.docker.engine.client import connect
from delivery.docker.engine.failures import reported
from delivery.errors import Transient
from delivery.home import Home
from delivery.releases.release import ImageRef

YOUNG = timedelta(minutes=2)  # its run may have begun after it was looked which ones live
ARCHIVE = "image.tar"


def hold(image: Image, repository: str, name: str, run: str, home: Home) -> ImageRef:
    """Keep an image on the engine until its run is over, and return it by what the engine calls it."""
    with reported(f"keeping {name}"):
        image.tag(_held(home), tag=f"{run}.{name}")
    return ImageRef(repository=repository, digest=str(image.id))


def let_go(home: Home, run: str) -> None:
    """Remove what was held for a run; what else uses is left."""
    for reference in _references(home):
        if reference.rpartition(":")[2].startswith(f"{run}."):
            _remove(reference)


def let_go_of_the_dead(home: Home, living: Collection[str]) -> None:
    """Remove what was held for runs that do not live."""
    for reference in _references(home):
        if reference.rpartition(":")[2].partition(".")[0] not in living and not _is_young(reference):
            _remove(reference)


def save(ref: ImageRef, folder: Path) -> tuple[Path, str]:
    """Write a held image to a file in `folder`; return that, and the hash of what the image is made of."""
    path = folder / ARCHIVE
    with reported(f"saving {ref}"), path.open("wb") as file:
        for chunk in connect().images.get(ref.digest).save():
            file.write(chunk)
    with tarfile.open(path) as archive:
        manifest = archive.extractfile("manifest.json")
        if manifest is None:
            raise Transient(f"{ref}: the engine wrote no image")
        config = str(json.load(manifest)[0]["Config"])
    return path, f"sha256:{config.removesuffix('.json').rpartition('/')[2]}"


def packed_file(path: Path) -> Iterator[bytes]:
    """Yield a tar archive with the one file, piece by piece: an image is larger than a process should hold."""
    entry = tarfile.TarInfo(path.name)
    entry.size, entry.mode = path.stat().st_size, 0o444
    yield entry.tobuf()
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            yield chunk
    yield b"\0" * (-entry.size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


def _held(home: Home) -> str:
    return f"headway-{home.identity}-held"


def _references(home: Home) -> list[str]:
    with reported("looking for images of pull requests"):
        return [tag for image in connect().images.list(name=_held(home)) for tag in image.tags]


def _is_young(reference: str) -> bool:
    with contextlib.suppress(APIError, KeyError, ValueError):
        tagged = connect().images.get(reference).attrs["Metadata"]["LastTagTime"]
        return datetime.fromisoformat(tagged[:19]).replace(tzinfo=UTC) > datetime.now(UTC) - YOUNG
    return True


def _remove(reference: str) -> None:
    with contextlib.suppress(APIError):  # of a container that is just being removed: the sweep comes again
        connect().images.remove(reference)
