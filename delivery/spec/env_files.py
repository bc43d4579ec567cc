"""Env files (dotenv): their variables become those of the part that names them, wherever the application goes."""

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from delivery.errors import Misconfigured
from delivery.spec.app import App
from delivery.spec.database import Migration
from delivery.spec.environments import Environment
from delivery.spec.parts import files_of
from delivery.spec.services import Backing, Service
from delivery.spec.suites import Suite
from delivery.spec.variables import placeholders

WithFiles = Service | Backing | Migration | Suite | Environment
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?\}")
_LITERAL = re.compile(r"^[^=]*=\s*'")  # in single quotes nothing is filled in, as in Compose


def parts_with_files(app: App) -> dict[str, WithFiles]:
    """Return every part that names env files, under its key in the file."""
    parts: dict[str, WithFiles] = {f"services.{name}": one for name, one in app.services.items()}
    parts |= {f"backing.{name}": one for name, one in app.backing.items()}
    parts |= {f"suites.{name}": one for name, one in app.suites.items()}
    parts |= {f"environments.{name}": one for name, one in app.environments.items()}
    if app.database and app.database.migrate:
        parts["database.migrate"] = app.database.migrate
    return {key: part for key, part in parts.items() if part.env_file}


def with_env_files(app: App, folder: Path) -> App:
    """Return the application with the variables of its env files, which lie below `folder`, under those of `env`.

    Files that are not there are left out. Raises Misconfigured, with the line, for one that cannot be read.
    """
    read = {
        key: {**read_env_files(folder, files_of(part.env_file)), **part.env}
        for key, part in parts_with_files(app).items()
    }
    if not read:
        return app

    def own(section: str, parts: Mapping[str, WithFiles]) -> dict[str, WithFiles]:
        changed = {name: read.get(f"{section}.{name}", part.env) for name, part in parts.items()}
        return {name: part.model_copy(update={"env": changed[name]}) for name, part in parts.items()}

    sections = ("services", "backing", "suites", "environments")
    update: dict[str, object] = {section: own(section, getattr(app, section)) for section in sections}
    if app.database and app.database.migrate and "database.migrate" in read:
        migrate = app.database.migrate.model_copy(update={"env": read["database.migrate"]})
        update["database"] = app.database.model_copy(update={"migrate": migrate})
    return app.model_copy(update=update)


def read_env_files(folder: Path, paths: tuple[str, ...]) -> dict[str, str]:
    """Return the variables of the files, those of later files over earlier ones."""
    variables: dict[str, str] = {}
    for path in paths:
        whole = os.path.realpath(folder / path)
        if os.path.isfile(whole) and Path(whole).is_relative_to(os.path.realpath(folder)):
            _read(path, Path(whole), variables)
    return variables


def _read(name: str, path: Path, variables: dict[str, str]) -> None:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(name, f"cannot be read: {error}") from error
    for binding in parse_stream(io.StringIO(text)):
        where = f"{name}: line {binding.original.line}"
        if binding.error:
            raise Misconfigured(where, f"found {binding.original.string.strip()[:60]!r}", "NAME=value, # comments")
        if binding.key is not None:
            variables[binding.key] = _value(where, binding, variables)


def _value(where: str, binding: Binding, variables: Mapping[str, str]) -> str:
    """Return the value with every `${NAME}` filled in that a line above gives; placeholders of Headway stay."""
    if binding.value is None:
        step = "give it a value; one that shall not be in the repository is named under secrets"
        raise Misconfigured(where, f"{binding.key} has no value", "NAME=value, or NAME= for an empty one", step)

    def fill(found: re.Match[str]) -> str:
        name, default = found[1], found[2]
        if name in variables or default is not None:
            return variables.get(name) or default or ""
        if placeholders(found[0]):
            return found[0]
        step = "write the value in single quotes when it is meant as it stands"
        raise Misconfigured(where, f"${{{name}}}, which no line above gives", ", ".join(variables) or "none yet", step)

    text = binding.value
    return text if _LITERAL.match(binding.original.string) else _REFERENCE.sub(fill, text)
