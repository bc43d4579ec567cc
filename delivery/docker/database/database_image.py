"""What the image of a database says of itself: where it keeps its data, and as which user it starts."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from docker import DockerClient
from docker.errors import ContainerError

from delivery.errors import Misconfigured

INITDB_ARGS, CHECKSUMS = "POSTGRES_INITDB_ARGS", "--data-checksums"
IN_MEMORY = "/headway-in-memory"
USUAL_FOLDER = "/var/lib/postgresql/data"
# A folder with data in it has both; deeper down, in the data itself, there is only the first.
_LOOK = """
echo "${PG_MAJOR:-$(postgres --version | sed 's/^[^0-9]*//; s/[^0-9].*//')}"
find "$0" -maxdepth 4 -name PG_VERSION 2>/dev/null | while read -r found; do
  [ ! -d "${found%/*}/global" ] || echo "$(cat "$found") ${found%/*}"
done
"""


@dataclass(frozen=True)
class DatabaseImage:
    """An image of PostgreSQL: `folder` has its data, which a volume at `mount` keeps; `user` starts it."""

    image: str
    folder: str
    mount: str
    user: str
    initdb_args: str = ""

    @property
    def checked(self) -> dict[str, str]:
        """Return a variable with which a new database checks its pages when it reads them, beside the image's own."""
        if any(word in ("-k", CHECKSUMS) for word in self.initdb_args.split()):
            return {}
        return {INITDB_ARGS: f"{self.initdb_args} {CHECKSUMS}".strip()}

    @property
    def is_root(self) -> bool:
        """Whether it starts as root, and so makes any folder its own."""
        return self.user.partition(":")[0] in ("", "0", "root")

    def in_memory(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return variables and file systems with which its data is in memory.

        What is mounted belongs to root, with the mode of the image's folder when there is one: another user is let in
        where the image has none, and makes a folder of its own there.
        """
        if self.is_root:
            return {}, {self.mount: "rw"}
        return {"PGDATA": f"{IN_MEMORY}/data"}, {IN_MEMORY: "rw,mode=1777"}


def database_image(client: DockerClient, image: str) -> DatabaseImage:
    """Return what `image`, which the engine has, says of itself."""
    return _said(image, client.images.get(image).attrs["Config"])


def _said(image: str, config: dict[str, Any]) -> DatabaseImage:
    env = dict(line.partition("=")[::2] for line in config.get("Env") or ())
    volumes = [PurePosixPath(path) for path in config.get("Volumes") or ()]
    folder = PurePosixPath(env.get("PGDATA") or next(iter(map(str, volumes)), USUAL_FOLDER))
    around = [path for path in volumes if path in (folder, *folder.parents)]
    mount = max(around, key=lambda path: len(path.parts), default=folder)
    return DatabaseImage(image, str(folder), str(mount), str(config.get("User") or ""), env.get(INITDB_ARGS, ""))


def check_kept_data(client: DockerClient, image: DatabaseImage, volume: str, asked: str) -> None:
    """Return when the volume is empty, or holds what the image goes on with, where it looks for it.

    Raises Misconfigured when its data is of another major version, or lies elsewhere: the image would not start, or
    would start an empty database beside it. Nothing is changed.
    """
    try:
        said = client.containers.run(
            image.image,
            [_LOOK, image.mount],
            entrypoint=["sh", "-c"],
            user="0",
            network_mode="none",
            volumes={volume: {"bind": image.mount, "mode": "ro"}},
            remove=True,
        )
    except ContainerError as error:
        raise Misconfigured(f"database.image: {asked}", f"cannot be asked for its version: {error}") from error
    version, *clusters = said.decode(errors="replace").splitlines()
    for line in clusters:
        found, _, folder = line.partition(" ")
        if found != version:
            raise _upgrade(volume, found, asked, version)
        if folder != image.folder:
            where = str(PurePosixPath(folder).relative_to(image.mount))
            wanted = str(PurePosixPath(image.folder).relative_to(image.mount))
            raise Misconfigured(
                f"database.image: {asked}",
                f"volume {volume} holds a database in its folder {where}, and the image would begin an empty one "
                f"in {wanted}",
                next_step=f"move the data within the volume, or name an image that keeps its data in {where}; "
                "nothing was changed",
            )


def check_same_version(client: DockerClient, running: Any, image: DatabaseImage, asked: str) -> None:
    """Return when the image is of the major version that the environment's database is.

    Raises Misconfigured when it is not: the container goes on with what it was made with.
    """
    now, then = _major(client.images.get(image.image).attrs), _major(running.attrs)
    if now and then and now != then:
        raise _upgrade(str(running.name), then, asked, now)


def _major(attrs: dict[str, Any]) -> str:
    env: dict[str, str] = dict(line.partition("=")[::2] for line in attrs["Config"].get("Env") or ())
    return env.get("PG_MAJOR", "")


def _upgrade(where: str, found: str, asked: str, version: str) -> Misconfigured:
    return Misconfigured(
        f"database.image: {asked}",
        f"is PostgreSQL {version}, and {where} holds a database of PostgreSQL {found}",
        f"an image of PostgreSQL {found}",
        f"headway backup keeps one first; to go over to {version}, dump with pg_dump and restore there, or "
        "upgrade the volume with pg_upgrade, by hand; "
        "nothing was changed",
    )
