"""Which upstream images Headway can make a stand-in for, read from the recipes in `infra/bases/`."""

import hashlib
import platform
import re
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field

from delivery.errors import Misconfigured
from delivery.model import Model
from delivery.package_data import package_data

RECIPES = package_data("bases")
Flavour = Literal["full", "slim", "alpine"]

_HUB = {"docker.io", "index.docker.io", "registry-1.docker.io"}
_FLAVOURS: dict[str, Flavour] = {r"alpine[\d.]*": "alpine", "slim": "slim", "bookworm": "full"}
_VERSION = re.compile(r"^v?(\d+(?:\.\d+)*)(?:[_+]\d+)?$")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_NO_APK = "apk and musl (it is Debian with glibc)"


class Recipe(Model):
    """How one kind of base image is made, and which upstream images it stands in for."""

    folder: Path
    repositories: tuple[str, ...]
    provides: str | None = Field(description="its version; none: whatever is asked for")
    series: str = Field("", description="what of the version a tag has to agree with; all of it when left out")
    names: tuple[str, ...] = Field((), description="words that stand for this version for good: bookworm, jod")
    aliases: tuple[str, ...] = Field((), description="words that stand for one version after another: latest, lts")
    flavours: tuple[Flavour, ...] = ("full", "slim", "alpine")
    words: tuple[str, ...] = Field((), description="patterns of other words a tag may hold")
    needs: str = Field("", description="pattern of a word a tag must hold")
    start: str | None = Field(None, description="the kind it is made from; none: from nothing")
    making: Literal["files", "debian", "bare"] = Field("files", description="how, when from nothing: see build.sh")
    lacks: tuple[str, ...] = Field((), description="what the image it stands in for has, and this one has not")

    @property
    def kind(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def script(self) -> Path:
        """The program that carries out every recipe of a set."""
        return self.folder.parent / "build.sh"

    @property
    def below(self) -> "Recipe | None":
        """The recipe of the image it is made from."""
        return next((one for one in recipes(self.folder.parent) if one.kind == self.start), None)

    @property
    def has_apt(self) -> bool:
        """Whether packages can be installed into the image, so that it holds apt sources."""
        return self.making == "debian" or (self.below is not None and self.below.has_apt)

    def tag(self, sources: str) -> str:
        """Return the image's name; another recipe, or other apt `sources` in the image, have another name."""
        digest = hashlib.sha256((self.below.tag(sources) if self.below else sources if self.has_apt else "").encode())
        root = self.folder.parent
        for path in sorted([self.script, *(root / "common").rglob("*"), *self.folder.rglob("*")]):
            if path.is_file():
                executable = bool(path.stat().st_mode & 0o100)
                digest.update(f"{path.relative_to(root)} {executable}\n".encode() + path.read_bytes() + b"\0")
        return f"headway-base/{self.kind}:{digest.hexdigest()[:12]}"

    def honours(self, tag: str) -> bool:
        """Whether an image of this recipe is of the version and the flavour that `tag` names."""
        if self.provides is None:
            return True
        version, words = _split_tag(tag)
        if version and not _agree(version, self.series or self.provides):
            return False
        known = (*self.names, *self.aliases, *self.words, *_FLAVOURS)
        if not all(any(re.fullmatch(pattern, word) for pattern in known) for word in words):
            return False
        if self.needs and not any(re.fullmatch(self.needs, word) for word in words):
            return False
        return _flavour(words) in self.flavours

    def version_for(self, tag: str) -> str:
        """Return what an image of this recipe is, and what it is not when `tag` names another version."""
        if self.provides is None:
            return ""
        version, words = _split_tag(tag)
        named = [word for word in words if word in (*self.names, *self.aliases)]
        asked = version or ("" if self.needs else named[0] if named else "latest")
        is_it = asked in ("", *self.names) or f"{self.provides}.".startswith(f"{asked}.")
        return f"{self.repositories[0].rpartition('/')[2]} {self.provides}" + ("" if is_it else f", not {asked}")

    def lacks_of(self, tag: str) -> tuple[str, ...]:
        """Return what an image of this recipe lacks of what `tag` promises, beside its version."""
        no_apk = self.provides is not None and _flavour(_split_tag(tag)[1]) == "alpine"
        return (*([_NO_APK] if no_apk else []), *self.lacks, *(self.below.lacks_of("bookworm") if self.below else ()))


@cache
def recipes(root: Path) -> tuple[Recipe, ...]:
    """Return every recipe in the folder `root`."""
    files = sorted(root.glob("*/base.yaml"))
    return tuple(Recipe(folder=file.parent, **yaml.safe_load(file.read_text())) for file in files)


def stand_in_for(asked: str, on_platform: str = "") -> Recipe:
    """Return the recipe that can stand in for `asked`; Misconfigured, saying why, when none can."""
    if "@" in asked:
        raise Misconfigured(asked, "a digest names one image exactly, nothing can stand in for it")
    ours = f"linux/{_MACHINES.get(platform.machine(), platform.machine())}"
    if on_platform and "/".join(on_platform.split("/")[:2]) != ours:
        raise Misconfigured(asked, f"a stand-in would be for {ours}, not for {on_platform}")
    repository, tag = split_reference(asked)
    there = [recipe for recipe in recipes(RECIPES) if repository in recipe.repositories]
    for recipe in there:
        if recipe.honours(tag):
            return recipe
    if there:
        known = {f"{recipe.series or recipe.provides}" for recipe in there}
        raise Misconfigured(asked, f"a stand-in would be {repository} {' or '.join(sorted(known))}, not {tag}")
    names = sorted({name for recipe in recipes(RECIPES) for name in recipe.repositories})
    raise Misconfigured(asked, "there is no recipe for a stand-in", f"stand-ins for {', '.join(names)}")


def split_reference(asked: str) -> tuple[str, str]:
    """Return repository, without the host of a mirror of the official images, and tag."""
    path, colon, tag = asked.rpartition(":")
    if not colon or "/" in tag:
        path, tag = asked, "latest"
    host, slash, rest = path.partition("/")
    if slash and host in _HUB:
        path = rest
    elif slash and ("." in host or ":" in host or host == "localhost") and "/library/" in path:
        path = "library/" + path.rpartition("/library/")[2]
    return path.removeprefix("library/"), tag


def registry_of(asked: str) -> str:
    """Return the host an image is pulled from."""
    host, slash, _ = asked.partition("/")
    return host if slash and ("." in host or ":" in host or host == "localhost") else "docker.io"


def _split_tag(tag: str) -> tuple[str, list[str]]:
    """Return the version a tag begins with, or nothing, and its other words."""
    first, *words = tag.split("-")
    version = _VERSION.match(first)
    return (version[1], words) if version else ("", [first, *words])


def _agree(version: str, series: str) -> bool:
    """Whether two versions are the same as far as both of them go."""
    return all(one == other for one, other in zip(version.split("."), series.split("."), strict=False))


def _flavour(words: list[str]) -> Flavour:
    named = {flavour for word in words for pattern, flavour in _FLAVOURS.items() if re.fullmatch(pattern, word)}
    return "alpine" if "alpine" in named else "slim" if "slim" in named else "full"
