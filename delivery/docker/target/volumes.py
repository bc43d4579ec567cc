"""Volumes of an environment's services: by name, kept across slots and releases until the environment is removed."""

import io
import itertools
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from docker import DockerClient
from docker.models.containers import Container

from delivery.changes.ledger import environment_labels
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.engine.paths import archive_of

ROLE = "volume"
PASSWD = PurePosixPath("/etc/passwd")


def ensure_volumes(
    client: DockerClient, names: EnvironmentNames, volumes: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Make sure the volumes are there, and return how a container mounts them.

    What the image has in a folder, and who owns it, goes into a volume that is empty: the engine sees to it.
    """
    labels = environment_labels(names.platform, names.app, names.environment, ROLE)
    for name in volumes:
        client.volumes.create(names.volume(name), labels=labels)
    return {names.volume(name): {"bind": folder, "mode": "rw"} for name, folder in volumes.items()}


def own_new_folders(container: Container, folders: Iterable[str]) -> None:
    """Give volumes that are empty and root's to the user the image runs as: it has no such folder, so nobody's is it.

    The container exists and does not run yet.
    """
    for path in map(PurePosixPath, folders):
        if (owner := _owner(container)) and _is_empty_and_roots(container, path):
            container.put_archive(str(path.parent), _folder(path.name, *owner))


def _owner(container: Container) -> tuple[int, int] | None:
    """Return user and group the container runs as, or none for root and for whom the image does not know."""
    user, _, group = str(container.attrs["Config"].get("User") or "").partition(":")
    if user in ("", "root", "0"):
        return None
    known = {fields[0]: fields for fields in _users(container)}
    by_number = {fields[2]: fields for fields in known.values()}
    fields = known.get(user) or by_number.get(user)
    if not user.isdecimal() and fields is None:
        return None
    uid = int(user) if user.isdecimal() or fields is None else int(fields[2])
    return uid, int(group) if group.isdecimal() else int(fields[3]) if fields else 0


def _users(container: Container) -> list[list[str]]:
    with archive_of(container, PASSWD) as archive:
        for entry in archive or ():
            content = archive.extractfile(entry) if archive and entry.isfile() else None
            lines = content.read().decode(errors="replace").splitlines() if content else []
            found = [line.split(":") for line in lines]
            return [one for one in found if len(one) >= 4 and one[2].isdecimal() and one[3].isdecimal()]
    return []


def _is_empty_and_roots(container: Container, folder: PurePosixPath) -> bool:
    with archive_of(container, folder) as archive:
        found = list(itertools.islice(archive or (), 2))  # the folder itself, and what is in it
    return len(found) == 1 and found[0].uid == 0


def _folder(name: str, uid: int, gid: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, 0o755, uid, gid
        archive.addfile(entry)
    return buffer.getvalue()
