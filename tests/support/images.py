"""Images for tests, made of a base and some files without a build."""

import io
import secrets
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from delivery.docker.engine.client import connect
from delivery.docker.images.bases import resolve_base
from delivery.home import Home
from delivery.releases.release import ImageRef


def on_engine(ref: ImageRef) -> str:
    """Return under which name, with whatever registry, this machine's engine has an image that was pushed."""
    names = (name for image in connect().api.images() for name in image["RepoDigests"] or ())
    return next(name for name in names if name.endswith(f"/{ref}"))


@contextmanager
def image_of(
    base: str, files: Mapping[str, str], *, folders: Mapping[str, Path] | None = None, changes: Sequence[str] = ()
) -> Iterator[str]:
    """Yield an image of `base` with `files` (path → text) and copies of `folders` (path → folder here) in it.

    `changes` are instructions of a Dockerfile: ENV, CMD, ENTRYPOINT, WORKDIR.
    """
    client, name = connect(), f"headway-test:{secrets.token_hex(6)}"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, folder in (folders or {}).items():
            archive.add(folder, path)
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    container = client.containers.create(resolve_base(base, home=Home.current()).used, ["true"])
    try:
        container.put_archive("/", buffer.getvalue())
        container.commit(*name.split(":"), changes=list(changes))
    finally:
        container.remove(force=True)
    try:
        yield name
    finally:
        client.images.remove(name, force=True)
