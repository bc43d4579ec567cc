"""The migrations of an application as one hash, part of what a release is; and whether two releases have the same."""

from pathlib import Path

from delivery.model import hash_of
from delivery.releases.release import Release
from delivery.spec.app import App

NO_MIGRATIONS = hash_of(None)


def migrations_hash(source: Path, app: App) -> str:
    """Return the hash of every migration file by name and content, and of the command that runs them.

    Without folders of migrations only the command counts: what it runs is known by its image, to `same_migrations`.
    """
    migrate = app.database.migrate if app.database else None
    if migrate is None:
        return NO_MIGRATIONS
    files = [path for folder in migrate.folders for path in (source / folder).rglob("*") if path.is_file()]
    contents = {path.relative_to(source).as_posix(): path.read_bytes().hex() for path in files}
    # A command that nobody named a tool for was hashed without one.
    named = {} if migrate.tool == "command" else {"tool": migrate.tool}
    return hash_of({"command": migrate.command, "image": migrate.image, "files": contents, **named})


def same_migrations(app: App, one: Release, other: Release) -> bool:
    """Return whether two releases are known to migrate alike; `app` says where the migrations of one of them are.

    Without folders they are somewhere in the image that runs them, which then has to be the same one, by its digest. Of
    an image from elsewhere no release has a digest: its name, which is in the hash, stands for it.
    """
    if one.migrations_hash != other.migrations_hash:
        return False
    migrate = app.database.migrate if app.database else None
    return migrate is None or bool(migrate.folders) or _digest(one, migrate.image) == _digest(other, migrate.image)


def _digest(release: Release, image: str) -> str:
    ref = release.images.get(image)
    return ref.digest if ref else ""
