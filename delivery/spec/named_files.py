"""The files that `headway.yaml` names: which there are, and whether they are where it says."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import yaml

from delivery.spec.app import App
from delivery.spec.database import Migration
from delivery.spec.env_files import parts_with_files
from delivery.spec.masking import masking_problems
from delivery.spec.migration_classes import class_problems
from delivery.spec.migration_files import migration_problems
from delivery.spec.parts import files_of


class _AnyTag(yaml.SafeLoader):
    """YAML with tags of others, like Compose's `!reset`: what they mark is none here."""


_AnyTag.add_multi_constructor("!", lambda *_: None)


def file_problems(app: App, folder: Path) -> list[str]:
    """Return a line for every file that `app` names and that is not below `folder`, or lacks what it must have."""
    missing = [*_missing_files(app, folder), *_unknown_compose_services(app, folder)]
    migrate = app.database.migrate if app.database else None
    migrations = _migration_problems(migrate, folder) if migrate else ()
    return missing or [*migrations, *masking_problems(folder, _masking_files(app))]


def _migration_problems(migrate: Migration, folder: Path) -> Iterator[str]:
    yield from migration_problems(migrate, folder)
    yield from class_problems(migrate, folder)


def _missing_files(app: App, folder: Path) -> list[str]:
    exists = {"folder": os.path.isdir, "file": os.path.isfile}  # neither raises, whatever the path is
    missing = []
    for key, path, kind in _named_files(app):
        if os.path.isabs(path) or os.path.normpath(path).startswith(".."):
            missing.append(f"{key}: {path} is outside the folder of headway.yaml")
        elif not exists[kind](folder / path):
            missing.append(f"{key}: there is no {kind} {path}")
        elif not Path(os.path.realpath(folder / path)).is_relative_to(os.path.realpath(folder)):
            missing.append(f"{key}: {path} is a link out of the folder of headway.yaml, which is delivered alone")
    return missing


def _unknown_compose_services(app: App, folder: Path) -> list[str]:
    lines = []
    for name, suite in app.suites.items():
        services = _compose_services(folder / suite.compose) if suite.compose else ()
        if services and suite.compose_service not in services:
            found = f"there is no service {suite.compose_service} in {suite.compose}"
            lines.append(f"suites.{name}.compose_service: {found}; allowed: {', '.join(services)}")
    return lines


def _named_files(app: App) -> Iterable[tuple[str, str, str]]:
    """Yield key, path and kind of every file the application's file names."""
    for key, image in app.builds().items():
        yield f"{key}.context", image.context, "folder"
        yield f"{key}.dockerfile", str(PurePosixPath(image.context) / image.dockerfile), "file"
    for name, suite in app.suites.items():
        if suite.compose:
            yield f"suites.{name}.compose", suite.compose, "file"
    for key, part in parts_with_files(app).items():
        for number, path in enumerate(files_of(part.env_file)):
            yield f"{key}.env_file" if isinstance(part.env_file, str) else f"{key}.env_file[{number}]", path, "file"
    for name, environment in app.environments.items():
        if environment.infrastructure and environment.infrastructure.terraform:
            yield f"environments.{name}.infrastructure.terraform", environment.infrastructure.terraform, "folder"
    yield from ((key, path, "file") for key, path in _masking_files(app).items())
    migrate = app.database.migrate if app.database else None
    for number, folder in enumerate(migrate.folders if migrate else ()):
        one = migrate is not None and isinstance(migrate.files, str)
        yield "database.migrate.files" if one else f"database.migrate.files[{number}]", folder, "folder"


def _masking_files(app: App) -> dict[str, str]:
    asked = {name: one.refresh for name, one in app.environments.items() if one.refresh}
    return {f"environments.{name}.refresh.masking": refresh.masking for name, refresh in asked.items()}


def _compose_services(path: Path) -> tuple[str, ...]:
    """Return the services of a Compose file, or none where only Compose itself can tell."""
    try:
        content = yaml.load(path.read_bytes(), _AnyTag)  # noqa: S506  # a SafeLoader
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, yaml.YAMLError):
        return ()
    if not isinstance(content, dict) or "include" in content or not isinstance(content.get("services"), dict):
        return ()
    return tuple(str(name) for name in content["services"])
