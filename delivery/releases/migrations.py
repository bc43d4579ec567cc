"""The migrations of an application as one hash: part of what a release is."""

from pathlib import Path

from delivery.model import hash_of
from delivery.spec.app import App

NO_MIGRATIONS = hash_of(None)


def migrations_hash(source: Path, app: App) -> str:
    """Return the hash of every migration file by name and content, and of the command that runs them.

    Without folders of migrations only the command counts; what it runs is part of its image then.
    """
    migrate = app.database.migrate if app.database else None
    if migrate is None:
        return NO_MIGRATIONS
    files = [path for folder in migrate.folders for path in (source / folder).rglob("*") if path.is_file()]
    contents = {path.relative_to(source).as_posix(): path.read_bytes().hex() for path in files}
    # A command that nobody named a tool for was hashed without one.
    named = {} if migrate.tool == "command" else {"tool": migrate.tool}
    return hash_of({"command": migrate.command, "image": migrate.image, "files": contents, **named})
