"""Which upstream images Headway can make a stand-in for, read from the recipes in `infra/bases/`."""

import hashlib
import re
from functools import cache
from pathlib import Path

import yaml

from delivery.errors import Misconfigured
from delivery.model import Model

RECIPES = Path(__file__).resolve().parents[2] / "infra" / "bases"

_MIRRORS = {"docker.io", "index.docker.io", "registry-1.docker.io", "public.ecr.aws", "mirror.gcr.io", "ghcr.io"}
_FLAVOUR = re.compile(r"^(alpine[\d.]*|slim|bookworm)$")
_VERSION = re.compile(r"^v?(\d+(\.\d+)*)$")


class Recipe(Model):
    """How one kind of base image is made, and which upstream images it stands in for."""

    folder: Path
    repositories: tuple[str, ...]
    provides: str | None
    aliases: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def script(self) -> Path:
        """The program that carries out every recipe of a set."""
        return self.folder.parent / "build.sh"

    @property
    def tag(self) -> str:
        """The image's name; another recipe has another name."""
        digest = hashlib.sha256()
        root = self.folder.parent
        for path in sorted([self.script, *(root / "common").rglob("*"), *self.folder.rglob("*")]):
            if path.is_file():
                executable = bool(path.stat().st_mode & 0o100)
                digest.update(f"{path.relative_to(root)} {executable}\n".encode() + path.read_bytes() + b"\0")
        return f"headway-base/{self.kind}:{digest.hexdigest()[:12]}"

    def honours(self, tag: str) -> bool:
        """Whether an image of this recipe keeps what `tag` promises."""
        if self.provides is None:
            return True
        first, *flavours = tag.split("-")
        if version := _VERSION.match(first):
            if not f"{self.provides}.".startswith(f"{version[1]}."):
                return False
        elif first not in self.aliases and not _FLAVOUR.match(first):
            return False
        return all(_FLAVOUR.match(flavour) for flavour in flavours)


@cache
def recipes(root: Path) -> tuple[Recipe, ...]:
    """Return every recipe in the folder `root`."""
    files = sorted(root.glob("*/base.yaml"))
    return tuple(Recipe(folder=file.parent, **yaml.safe_load(file.read_text())) for file in files)


def stand_in_for(asked: str) -> Recipe:
    """Return the recipe that can stand in for `asked`; Misconfigured, saying why, when none can."""
    if "@" in asked:
        raise Misconfigured(asked, "a digest names one image exactly, nothing can stand in for it")
    repository, tag = split_reference(asked)
    for recipe in recipes(RECIPES):
        if repository in recipe.repositories:
            if recipe.honours(tag):
                return recipe
            raise Misconfigured(asked, f"a stand-in would be {repository} {recipe.provides}, not {tag}")
    known = sorted(name for recipe in recipes(RECIPES) for name in recipe.repositories)
    raise Misconfigured(asked, "there is no recipe for a stand-in", f"stand-ins for {', '.join(known)}")


def split_reference(asked: str) -> tuple[str, str]:
    """Return repository, without the host of a mirror of the official images, and tag."""
    path, colon, tag = asked.rpartition(":")
    if not colon or "/" in tag:
        path, tag = asked, "latest"
    host, slash, rest = path.partition("/")
    if slash and host in _MIRRORS:
        path = rest.removeprefix("docker/")
    elif slash and ("." in host or ":" in host or host == "localhost") and "/library/" in path:
        path = "library/" + path.rpartition("/library/")[2]
    return path.removeprefix("library/"), tag


def registry_of(asked: str) -> str:
    """Return the host an image is pulled from."""
    host, slash, _ = asked.partition("/")
    return host if slash and ("." in host or ":" in host or host == "localhost") else "docker.io"
