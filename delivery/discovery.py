"""A first `headway.yaml` from what lies in a folder, with every guess said aloud.

Looked at: Dockerfiles, a Compose file, package.json, pyproject.toml and requirements, folders of migrations.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from delivery.errors import Misconfigured

SKIPPED = {"node_modules", "vendor", "dist", "build", "target", "tests", "test", "examples", "docs"}
DEEPEST = 2
GUESSED_PORT = 8080
COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_EXPOSE = re.compile(r"^\s*EXPOSE\s+(\d+)", re.MULTILINE | re.IGNORECASE)
_STAGE = re.compile(r"^\s*FROM\s+\S+\s+AS\s+(\S+)", re.MULTILINE | re.IGNORECASE)
_HEALTH = re.compile(r"HEALTHCHECK[^\n]*(?:\\\n[^\n]*)*?https?://[^/\s\"']+(/[A-Za-z0-9_./-]*)", re.IGNORECASE)
_PORT = re.compile(r"(?:^|:)(\d{1,5})(?:-\d+)?(?:/\w+)?$")
_DEFAULT = re.compile(r"\$\{\w+:?-([^}]*)\}")  # what Compose takes when the variable is not set
_POSTGRES = re.compile(r"(?:^|/)(?:postgres|postgis|pgvector)(?::|$)")
# Where a migration tool keeps its files, and the command its users run.
_MIGRATIONS: tuple[tuple[str, str, list[str]], ...] = (
    ("alembic.ini", "alembic", ["alembic", "upgrade", "head"]),
    ("manage.py", "", ["python", "manage.py", "migrate"]),
    ("prisma/migrations", "prisma/migrations", ["npx", "prisma", "migrate", "deploy"]),
    ("knexfile.js", "migrations", ["npx", "knex", "migrate:latest"]),
    ("db/migrate", "db/migrate", ["bin/rails", "db:migrate"]),
)


@dataclass
class Draft:
    """The text of a first file, and the guesses in it."""

    content: dict[str, Any] = field(default_factory=dict)
    guesses: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The file."""
        head = (
            "# Written by `headway init`; the guesses are marked below. `headway check` reads it, `headway plan` says\n"
        )
        notes = "".join(f"# guess: {_one_line(guess)}\n" for guess in self.guesses)
        body = yaml.safe_dump(self.content, sort_keys=False, default_flow_style=None, width=110)
        return f"{head}# what it would do, docs/headway-yaml.md explains every key.\n{notes}{body}"


def discover(folder: Path) -> Draft:
    """Return a first file for the application in `folder`; Misconfigured when there is no Dockerfile."""
    folder = folder.resolve()
    files = sorted(_dockerfiles(folder), key=lambda path: (len(path.parts), str(path)))
    if not files:
        raise Misconfigured(
            str(folder),
            "no Dockerfile was found, at most two folders deep",
            next_step="Headway releases images: write a Dockerfile for the application first",
        )
    draft = Draft({"app": _name(folder.name), "images": {}, "services": {}})
    draft.guesses.append(f"the application is called {draft.content['app']}, after its folder")
    for path in files:
        _add_image(draft, folder, path)
    _give_one_a_port(draft)
    _add_from_compose(draft, folder)
    _spread_routes(draft)
    for path in files:
        _add_suites(draft, folder, path)
        _add_migration(draft, folder, path)
    draft.content["environments"] = {"production": {}}
    draft.guesses.append("one environment, production, on this Docker host; nobody is asked before a release")
    draft.content = {key: value for key, value in draft.content.items() if value}
    return draft


def _dockerfiles(folder: Path, depth: int = 0) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_file() and (path.name == "Dockerfile" or path.name.endswith(".Dockerfile")):
            yield path
        hidden = path.name.startswith(".") or path.name in SKIPPED
        if path.is_dir() and not path.is_symlink() and not hidden and depth < DEEPEST and os.access(path, os.R_OK):
            yield from _dockerfiles(path, depth + 1)


def _add_image(draft: Draft, folder: Path, path: Path) -> None:
    images: dict[str, Any] = draft.content["images"]
    where = path.relative_to(folder)
    stem = "" if path.name == "Dockerfile" else path.name.removesuffix(".Dockerfile")
    name = _name(stem or (path.parent.name if path.parent != folder else "web"))
    if name in images:
        name = _name("-".join([*where.parent.parts, stem]))
    if name in images:
        name = next(free for number in count(2) if (free := f"{name[:36]}-{number}") not in images)
    image: dict[str, Any] = {} if path.parent == folder else {"context": where.parent.as_posix()}
    if stem:
        image["dockerfile"] = path.name
    images[name] = image
    text = path.read_text(errors="replace")
    ports = [port for port in _EXPOSE.findall(text) if 1 <= int(port[:6]) <= 65535]
    service: dict[str, Any] = {}
    if ports:
        service["port"] = int(ports[-1])
        draft.guesses.append(f"{name} listens on {ports[-1]}, which {where} exposes")
    else:
        draft.guesses.append(f"{name} is a worker without traffic: {where} exposes no port")
    if (health := _HEALTH.search(text)) and ports:
        service["health"] = health.group(1)
        draft.guesses.append(f"{name} is ready when {health.group(1)} answers 2xx, as the HEALTHCHECK in {where} asks")
    draft.content["services"][name] = service


def _give_one_a_port(draft: Draft) -> None:
    """Let the first service take requests when no Dockerfile tells a port: a release is judged by them."""
    services = draft.content["services"]
    if not any("port" in service for service in services.values()):
        first = next(iter(services))
        services[first]["port"] = GUESSED_PORT
        draft.guesses.append(f"{first} listens on {GUESSED_PORT} all the same: one service must; correct the port")


def _add_from_compose(draft: Draft, folder: Path) -> None:
    path = next((folder / name for name in COMPOSE_FILES if (folder / name).is_file()), None)
    if path is None:
        return
    try:
        content = yaml.safe_load(path.read_text(errors="replace"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        draft.guesses.append(f"{path.name} was left out, it cannot be read: {str(error).splitlines()[0]}")
        return
    services = content.get("services") if isinstance(content, dict) else None
    for key, described in (services if isinstance(services, dict) else {}).items():
        if isinstance(described, dict) and described.get("image") and not described.get("build"):
            _add_beside(draft, path.name, str(key), described)


def _add_beside(draft: Draft, file: str, key: str, described: dict[str, Any]) -> None:
    """Add a Compose service that is not built here: the database, or something kept beside the application."""
    name, image = _name(key), _DEFAULT.sub(r"\1", str(described["image"]))
    if _POSTGRES.search(image.partition("@")[0]):
        draft.content["database"] = {"image": image}
        draft.guesses.append(f"{key} in {file} is the application's database; services get DATABASE_URL")
    elif name in draft.content["services"]:
        draft.guesses.append(f"{key} in {file} was left out: {name} is built from a Dockerfile")
    else:
        port = _container_port(described.get("ports"))
        draft.content.setdefault("backing", {})[name] = {"image": image} | ({"port": port} if port else {})
        draft.guesses.append(f"{key} in {file} is kept beside the application, across releases")


def _container_port(ports: object) -> int | None:
    """Return the first port of a Compose service as its container knows it: `8080:80/tcp`, `80`, `{target: 80}`."""
    first = ports[0] if isinstance(ports, list) and ports else ""
    text = str(first.get("target") if isinstance(first, dict) else first)
    found = _PORT.search(_DEFAULT.sub(r"\1", text))
    return int(found[1]) if found and 1 <= int(found[1]) <= 65535 else None


def _spread_routes(draft: Draft) -> None:
    """Give each of several services with a port its paths: the router must know who gets what."""
    services = draft.content["services"]
    with_port = [name for name, service in services.items() if service.get("port")]
    if len(with_port) < 2:
        return
    front = next((name for name in with_port if name in ("frontend", "web", "ui", "www", "site")), with_port[0])
    for name in with_port:
        services[name]["routes"] = ["/"] if name == front else ["/api"] if len(with_port) == 2 else [f"/{name}"]
        draft.guesses.append(f"{services[name]['routes'][0]} is answered by {name}")


def _add_suites(draft: Draft, folder: Path, path: Path) -> None:
    stages = _STAGE.findall(path.read_text(errors="replace"))
    name = next(key for key, image in draft.content["images"].items() if _is_built_from(image, folder, path))
    tool = _test_tool(path.parent)
    if tool is None:
        return
    suites = draft.content.setdefault("suites", {})
    suite: dict[str, Any] = {"tool": tool[0]}
    if "test" in stages:
        suite["build"] = {**draft.content["images"][name], "target": "test"}
        draft.guesses.append(f"{tool[1]}: {tool[0]} runs in the stage `test` of {path.relative_to(folder)}")
    else:
        suite["image"] = name
        draft.guesses.append(
            f"{tool[1]}: {tool[0]} runs in the image {name} itself; if it is not in there, add a build stage "
            "and name it with `build: {target: …}`"
        )
    if tool[0] == "command" or "image" in suite:
        suite["command"] = tool[2]
    suites["unit" if "unit" not in suites else _name(f"unit-{name}")] = suite


def _test_tool(folder: Path) -> tuple[str, str, list[str]] | None:
    """Return tool, where it was seen, and the command that runs it."""
    package = _package(folder)
    if any("jest" in package[key] for key in ("dependencies", "devDependencies")):
        return "jest", "package.json names it", ["npx", "jest"]
    if package["scripts"].get("test"):
        return "command", "package.json has a test script", ["npm", "test"]
    for name in ("pyproject.toml", "requirements.txt", "requirements-dev.txt", "setup.cfg", "tox.ini"):
        if (folder / name).is_file() and "pytest" in (folder / name).read_text(errors="replace"):
            return "pytest", f"{name} names it", ["python", "-m", "pytest"]
    if (folder / "go.mod").is_file():
        return "command", "there is a go.mod", ["go", "test", "./..."]
    return None


def _package(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what package.json says of dependencies and scripts; nothing when there is none to read."""
    try:
        described = json.loads((folder / "package.json").read_text())
    except (OSError, ValueError, RecursionError):
        described = None
    found = described if isinstance(described, dict) else {}
    keys = ("dependencies", "devDependencies", "scripts")
    return {key: found[key] if isinstance(found.get(key), dict) else {} for key in keys}


def _add_migration(draft: Draft, folder: Path, path: Path) -> None:
    database = draft.content.get("database")
    if database is None or "migrate" in database:
        return
    name = next(key for key, image in draft.content["images"].items() if _is_built_from(image, folder, path))
    for mark, files, command in _MIGRATIONS:
        if (path.parent / mark).exists():
            migrate: dict[str, Any] = {"image": name, "command": command}
            kept = path.parent / (files or "migrations")
            if kept.is_dir():
                migrate["files"] = kept.relative_to(folder).as_posix()
            database["migrate"] = migrate
            draft.guesses.append(f"{' '.join(command)} in {name} migrates the database: there is {mark}")
            return
    if (path.parent / "migrations").is_dir():
        where = (path.parent / "migrations").relative_to(folder).as_posix()
        draft.guesses.append(f"{where} holds migrations; say under database.migrate which image and command run them")


def _is_built_from(image: dict[str, Any], folder: Path, path: Path) -> bool:
    built: Path = folder / image.get("context", ".") / image.get("dockerfile", "Dockerfile")
    return built.resolve() == path.resolve()


def _name(text: str) -> str:
    """Return `text` as a name Headway takes."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return (plain if plain[:1].isalpha() else f"app-{plain}".rstrip("-"))[:39].rstrip("-")


def _one_line(text: str) -> str:
    """Return `text` as a comment can hold it."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
