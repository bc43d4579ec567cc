"""What lies in the application's folder, read with care: nothing here raises, whatever a file is."""

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

DEEPEST = 3
LARGEST_BYTES = 1_000_000
SKIPPED = {
    "node_modules",
    "vendor",
    "dist",
    "target",
    "site-packages",
    "__pycache__",
    "venv",
    "env",
    "bower_components",
}
# Folders about an application that are not the application.
BESIDE = {"test", "tests", "e2e", "examples", "example", "samples", "docs", "doc", "fixtures", "testdata", "benchmarks"}
DOCKER_ONLY = {"docker", ".docker"}


def read(path: Path) -> str:
    """Return the text of a file; empty for what cannot be read or is too large to be written by people."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_BYTES:
            return ""
        return path.read_bytes().decode(errors="replace").removeprefix("\ufeff").replace("\r\n", "\n")
    except (OSError, ValueError):  # a name with a null byte
        return ""


def is_folder(path: Path) -> bool:
    """Whether there is such a folder, whatever its name is."""
    return os.path.isdir(path)


def is_file(path: Path) -> bool:
    """Whether there is such a file, whatever its name is."""
    return os.path.isfile(path)


def below(path: Path, folder: Path) -> str | None:
    """Return `path` relative to `folder`, or none when it lies elsewhere."""
    try:
        return Path(os.path.normpath(path)).relative_to(os.path.normpath(folder)).as_posix()
    except ValueError:
        return None


def walk(folder: Path, depth: int = DEEPEST, beside: bool = False) -> Iterator[Path]:
    """Yield the files of `folder` and its folders, the nearest first; not those of packages and hidden folders.

    With `beside` also what lies in folders of tests, examples and documents.
    """
    ahead = [(folder, 0)]
    while ahead:
        here, level = ahead.pop(0)
        for path in _entries(here):
            if path.is_symlink() and not is_file(path):
                continue
            if is_file(path):
                yield path
            elif is_folder(path) and level < depth and _is_entered(path.name, beside):
                ahead.append((path, level + 1))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _is_entered(name: str, beside: bool) -> bool:
    if name.startswith(".") and name not in DOCKER_ONLY:
        return False
    return name.lower() not in SKIPPED and (beside or name.lower() not in BESIDE)


def any_file(folder: Path, *patterns: str, depth: int = 5) -> Path | None:
    """Return the nearest file whose name is like one of `patterns`."""
    return next(
        (p for p in walk(folder, depth, beside=True) if any(fnmatch.fnmatch(p.name, one) for one in patterns)), None
    )


def mentions(folder: Path, pattern: str, files: Sequence[str], most: int = 200) -> Path | None:
    """Return a file like one of `files`, of the first `most`, whose text has something like `pattern`."""
    found = (p for p in walk(folder, 6, beside=True) if any(fnmatch.fnmatch(p.name, one) for one in files))
    return next((path for path, _ in zip(found, range(most), strict=False) if re.search(pattern, read(path))), None)


def is_left_to_git(path: Path, root: Path) -> bool:
    """Whether a `.gitignore` on the way keeps `path` out of the repository."""
    folder = path.parent
    while True:
        where = below(path, folder)
        if where and _matches_last(read(folder / ".gitignore"), where, anywhere=True):
            return True
        if folder == root or folder == folder.parent:
            return False
        folder = folder.parent


def is_left_out_of_build(context: Path, dockerfile: Path, where: str) -> bool:
    """Whether `.dockerignore` keeps `where`, relative to `context`, out of what is sent to the build."""
    own = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    text = read(own) if is_file(own) else read(context / ".dockerignore")
    parts = PurePosixPath(where).parts
    paths = ["/".join(parts[: number + 1]) for number in range(len(parts))]
    ignored = False
    for line in text.splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            kept = pattern.startswith("!")
            if any(_is_like(path, pattern.lstrip("!").strip("/")) for path in paths):
                ignored = not kept
    return ignored


def _matches_last(text: str, where: str, anywhere: bool) -> bool:
    ignored = False
    for line in text.splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        wanted = pattern.lstrip("!").rstrip("/")
        path = where if "/" in wanted.rstrip("/") or not anywhere else PurePosixPath(where).name
        if _is_like(path, wanted.strip("/")):
            ignored = not pattern.startswith("!")
    return ignored


def _is_like(path: str, pattern: str) -> bool:
    """Whether a path is like a pattern in which `**` goes through folders and `*` does not."""
    expression = re.escape(pattern.removeprefix("./"))
    for sign, meaning in ((r"\*\*/", "(?:.*/)?"), (r"\*\*", ".*"), (r"\*", "[^/]*"), (r"\?", "[^/]")):
        expression = expression.replace(sign, meaning)
    return re.fullmatch(expression, path) is not None
