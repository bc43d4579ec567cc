"""The repository as text and as syntax trees."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def tracked() -> tuple[str, ...]:
    """Return the files of the repository, as git names them."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    return tuple(name for name in done.stdout.split("\0") if name and (ROOT / name).is_file())


def modules(*folders: str) -> list[str]:
    """Return the Python files below `folders`."""
    return [name for name in tracked() if name.endswith(".py") and name.startswith(folders)]


@cache
def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def imports(name: str) -> tuple[str, ...]:
    """Return the modules a file imports, also those it imports late or for types alone."""
    found: list[str] = []
    for node in ast.walk(ast.parse(text(name))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(f"{'.' * node.level}{node.module or ''}")
    return tuple(found)


def importing(files: list[str], *packages: str) -> set[str]:
    """Return those of `files` that import one of `packages` or something in it."""
    return {
        name
        for name in files
        if any(found == package or found.startswith(f"{package}.") for found in imports(name) for package in packages)
    }
