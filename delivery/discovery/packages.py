"""What an application's manifests say it depends on: package.json, pyproject.toml, requirements and their like."""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delivery.discovery.folders import any_file, is_file, read
from delivery.discovery.shapes import inner, table

MANIFESTS = (
    *("package.json", "pyproject.toml", "requirements.txt", "setup.py", "setup.cfg", "Pipfile", "go.mod", "pom.xml"),
    *("build.gradle", "build.gradle.kts", "Cargo.toml", "Gemfile", "composer.json", "mix.exs", "deno.json"),
)
_PYTHON_FILES = ("pyproject.toml", "setup.cfg", "setup.py", "Pipfile", "tox.ini", "environment.yml")


@dataclass(frozen=True)
class NodePackage:
    """What package.json says."""

    dependencies: dict[str, str]
    dev_dependencies: dict[str, str]
    scripts: dict[str, str]
    keys: dict[str, Any]

    def has(self, name: str) -> bool:
        """Whether it depends on the package in any way."""
        return name in self.dependencies or name in self.dev_dependencies


def node_package(folder: Path) -> NodePackage:
    """Return what package.json says; nothing when there is none to read."""
    try:
        described = json.loads(read(folder / "package.json") or "{}")
    except (ValueError, RecursionError):
        described = {}
    keys = described if isinstance(described, dict) else {}

    def texts(key: str) -> dict[str, str]:
        found = keys.get(key)
        return {str(k): v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}

    return NodePackage(texts("dependencies"), texts("devDependencies"), texts("scripts"), keys)


def toml_of(path: Path) -> dict[str, Any]:
    """Return a TOML file; nothing when it cannot be read."""
    try:
        return tomllib.loads(read(path))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def names(text: str, package: str) -> bool:
    """Whether `text` names the Python package, whichever way its dashes are written; comments do not count."""
    expression = re.sub(r"[-_.]", "[-_.]", package)
    if package == "pytest":
        expression += r"(?:[-_.]\w+)*"  # its plug-ins bring it along
    plain = re.sub(r"(?m)(?:^|\s)#.*$", "", text)
    return re.search(rf"(?<![\w.-]){expression}(?![\w-])", plain, re.IGNORECASE) is not None


def python_files(folder: Path) -> list[Path]:
    """Return the files that say what a Python application depends on."""
    requirements = sorted(
        [*folder.glob("requirements*.txt"), *folder.glob("requirements*.in"), *folder.glob("requirements/*.txt")]
    )
    return [path for path in (*(folder / name for name in _PYTHON_FILES), *requirements) if is_file(path)]


def python_names(folder: Path, package: str) -> Path | None:
    """Return the file that names the package, or none."""
    return next((path for path in python_files(folder) if names(requirement_text(path), package)), None)


def requirement_text(path: Path, seen: frozenset[Path] = frozenset()) -> str:
    """Return the text of a requirements file with those it includes."""
    if path in seen:
        return ""
    text = read(path)
    included = re.findall(r"(?m)^\s*(?:-r|--requirement)[ =]*(\S+)", text)
    return "\n".join([text, *(requirement_text(path.parent / name, seen | {path}) for name in included)])


def groups_with(folder: Path, package: str) -> Iterator[str]:
    """Yield where pyproject.toml or Pipfile names the package: `main`, `dev`, `extra:NAME` or `group:NAME`."""
    content = toml_of(folder / "pyproject.toml")
    if names(json.dumps(inner(content, "project", "dependencies"), default=str), package):
        yield "main"
    poetry = inner(content, "tool", "poetry") or {}
    if names(json.dumps(inner(poetry, "dependencies"), default=str), package):
        yield "main"
    if names(
        json.dumps([inner(poetry, "dev-dependencies"), inner(content, "tool", "uv", "dev-dependencies")], default=str),
        package,
    ):
        yield "dev"
    tables = {
        "extra": inner(content, "project", "optional-dependencies"),
        "group": {**table(inner(content, "dependency-groups")), **table(inner(poetry, "group"))},
    }
    for kind, named in tables.items():
        for name, listed in table(named).items():
            if names(json.dumps(listed, default=str), package):
                yield "dev" if (kind, name) == ("group", "dev") else f"{kind}:{name}"
    pipfile = toml_of(folder / "Pipfile")
    if package in table(inner(pipfile, "packages")):
        yield "main"
    if package in table(inner(pipfile, "dev-packages")):
        yield "dev"


def depends_on(folder: Path, *packages: str) -> str | None:
    """Return the first of `packages` that any manifest of `folder` names, whatever its language."""
    node = node_package(folder)
    others = [
        "go.mod",
        "pom.xml",
        "build.gradle",
        "build.gradle.kts",
        "Cargo.toml",
        "Gemfile",
        "composer.json",
        "mix.exs",
    ]
    text = "\n".join(read(folder / name) for name in others)
    project = any_file(folder, "*.csproj", depth=1)
    text += read(project) if project else ""
    for package in packages:
        if (
            node.has(package)
            or python_names(folder, package)
            or re.search(rf"(?<![\w-]){re.escape(package)}(?![\w-])", text)
        ):
            return package
    return None
