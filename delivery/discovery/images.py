"""Which Dockerfiles build the application, in which context, up to which stage, and what the images are called."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from delivery.discovery.compose_files import ComposeFile
from delivery.discovery.compose_services import ComposeService
from delivery.discovery.contents import Build, copies_everything, sources_of
from delivery.discovery.dockerfiles import Dockerfile, Instruction, Stage, read_dockerfile
from delivery.discovery.draft import Draft, free_name
from delivery.discovery.environment import Surroundings, is_secret
from delivery.discovery.folders import BESIDE, below, is_file, is_folder, walk
from delivery.discovery.interpolation import unknown_variables
from delivery.discovery.packages import MANIFESTS

_FILE = re.compile(r"^(?:([\w-]+)\.)?(?:docker|container)file(?:[._-]([\w.-]+))?$", re.IGNORECASE)
_PRODUCTION = re.compile(r"^(prod|production|release|deploy|live)$")
_VARIANT = re.compile(
    r"(^|[._-])(dev|devel|development|local|debug|test|tests|testing|ci|e2e|lint|base|build|builder|alpine|debian"
    r"|ubuntu|slim|windows"
    r"|arm\w*|aarch64|amd64|gpu|cuda|rocm|cpu|distroless|ubi\d*|rootless|nightly|goreleaser|old|bak|backup|sample"
    r"|example|template"
    r"|tpl|in|j2|heroku|fly|render|railway|dockerignore|devcontainer|docs?|fedora|centos|nanoserver|x86|multiarch"
    r"|cross|playwright|cypress|storybook)([._-]|$)"
)
_STATES = {
    "docker",
    ".docker",
    "build",
    "deploy",
    "deployment",
    "package",
    "infra",
    "ops",
    "container",
    "containers",
    "compose",
    "images",
    "production",
    "prod",
}
_ARGUMENT_MARK = ("$", "\ue000")


@dataclass
class ImageDraft:
    """An image as the file will describe it, and what is known of how it is built."""

    name: str
    build: Build
    dockerfile: str  # relative to the context
    where: str  # of the context, relative to headway.yaml
    target: str | None = None
    args: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> Dockerfile:
        """Its Dockerfile."""
        return self.build.file

    @property
    def stage(self) -> Stage | None:
        """The stage that is released."""
        return self.file.stage(self.target) or self.file.stage()

    @property
    def instructions(self) -> list[Instruction]:
        """Everything the released stage is made of."""
        return self.file.instructions(self.stage) if self.stage else []

    @property
    def path(self) -> Path:
        """Where its Dockerfile lies."""
        return self.build.path

    @property
    def project(self) -> Path:
        """The folder whose manifests say what it is made of: the Dockerfile's own, else the context."""
        here = self.path.parent
        inside = below(here, self.build.context) is not None
        return here if inside and any(is_file(here / name) for name in MANIFESTS) else self.build.context

    def content(self, target: str | None = None) -> dict[str, Any]:
        """Return the keys of `images.NAME`; those with another target when one is given."""
        keys: dict[str, Any] = {} if self.where == "." else {"context": self.where}
        if self.dockerfile != "Dockerfile":
            keys["dockerfile"] = self.dockerfile
        if target or self.target:
            keys["target"] = target or self.target
        return keys | ({"build_args": self.args} if self.args else {})

    def is_same(self, other: "ImageDraft") -> bool:
        """Whether both build the same image."""
        return (self.path, self.where, self.target, self.args) == (other.path, other.where, other.target, other.args)


def from_compose(root: Path, file: ComposeFile, service: ComposeService, draft: Draft) -> ImageDraft | None:
    """Return the image that a Compose service builds; none, with a word, when it cannot be built here."""
    build = service.build
    if build is None:
        return None
    said = f"{service.name} in {file.names}"
    context = file.folder / build.context
    if "://" in build.context or build.context.startswith("git@") or build.is_inline:
        draft.leave_out(f"{said}: what it builds does not lie in the repository as a folder with a Dockerfile")
        return None
    where = below(context, root) if "\0" not in build.context else None
    if where is None or not is_folder(root / where):
        draft.leave_out(f"{said}: its context {_shown(build.context)} is no folder of the repository")
        return None
    dockerfile = build.dockerfile or next(
        (name for name in ("Dockerfile", "Containerfile") if is_file(root / where / name)), "Dockerfile"
    )
    path = Path(os.path.normpath(root / where / dockerfile))
    if below(path, root) is None or not is_file(path):
        draft.leave_out(f"{said}: there is no {_shown(dockerfile)} in its context {where}")
        return None
    path = _rather_production(path, said, root, draft)
    args = _build_args(build.args, said, draft)
    made = _image(service.name, path, root / where, root, args)
    made.target = _target(made.file, build.target or None, f"{below(path, root)}", draft)
    return made


def from_dockerfiles(root: Path, draft: Draft) -> list[ImageDraft]:
    """Return an image for each Dockerfile that builds a part of the application, the nearest first."""
    by_folder: dict[Path, list[Path]] = {}
    for path in sorted(_dockerfiles(root), key=lambda one: (len(one.parts), str(one))):
        by_folder.setdefault(path.parent, []).append(path)
    images: list[ImageDraft] = []
    for folder, paths in by_folder.items():
        for path in _of_application(folder, paths, root, draft):
            made = _image("", path, _context(path, root), root, {})
            made.name = free_name(_name(path, made, root), {one.name for one in images})
            made.target = _target(made.file, None, f"{below(path, root)}", draft)
            images.append(made)
    return images


def dockerfiles_beside(root: Path) -> list[Path]:
    """Return the Dockerfiles in folders of tests."""
    inside = [path for path in walk(root, beside=True) if _FILE.match(path.name)]
    return [path for path in inside if set((below(path.parent, root) or "").lower().split("/")) & BESIDE]


def image_of_tests(path: Path, root: Path) -> ImageDraft:
    """Return what a Dockerfile among the tests builds."""
    return _image(path.parent.name, path, _context(path, root), root, {})


def _dockerfiles(root: Path) -> list[Path]:
    return [path for path in walk(root) if _FILE.match(path.name) and not path.name.endswith(".dockerignore")]


def _kind(path: Path) -> str:
    """Return what a Dockerfile's name says beside that it is one: `prod`, `worker`."""
    match = _FILE.match(path.name)
    return (match[1] or match[2] or "").lower() if match else ""


def _of_application(folder: Path, paths: list[Path], root: Path, draft: Draft) -> list[Path]:
    """Return the Dockerfiles of one folder that are released; not its variants for development, tests and machines."""
    kinds = {path: _kind(path) for path in paths}
    production = [path for path, kind in kinds.items() if _PRODUCTION.match(kind)]
    plain = [path for path, kind in kinds.items() if not kind]
    named = [path for path, kind in kinds.items() if kind and path not in production and not _VARIANT.search(kind)]
    chosen = [*(production[:1] or plain[:1]), *named]
    if not chosen:
        chosen = [path for path, kind in kinds.items() if re.search(r"dev|local|alpine|debian|slim", kind)][:1]
        for path in chosen:
            draft.guess(f"{below(path, root)} is built although its name says {kinds[path]}: there is no other")
    for path in paths:
        if path not in chosen:
            draft.leave_out(
                f"{below(path, root)} is not built: {', '.join(p.name for p in chosen) or 'it is no application'} is"
            )
    return chosen


def _image(name: str, path: Path, context: Path, root: Path, args: Mapping[str, str]) -> ImageDraft:
    context = Path(os.path.normpath(context))
    file = read_dockerfile(path, args)
    relative = os.path.relpath(path, context)
    return ImageDraft(name, Build(file, path, context), relative, below(context, root) or ".", None, dict(args))


def _context(path: Path, root: Path) -> Path:
    """Return the folder that a Dockerfile's COPY lines mean: the nearest that has all of what they name."""
    file, folder = read_dockerfile(path), path.parent
    candidates = [folder, *(parent for parent in folder.parents if below(parent, root) is not None)]
    wanted = sources_of(file)
    counts = [sum((one / source).exists() for source in wanted) for one in candidates]
    most = max(counts)
    best = candidates[counts.index(most)] if most else folder
    if best == folder and folder != root and not most and copies_everything(file):
        holds_sources = any(is_file(folder / name) for name in MANIFESTS)
        if not holds_sources and _STATES & set((below(folder, root) or "").lower().split("/")):
            return next((one for one in candidates[1:] if any(is_file(one / name) for name in MANIFESTS)), root)
    return best


def _name(path: Path, image: ImageDraft, root: Path) -> str:
    """Return what to call an image: after its Dockerfile's second name, else after the folder it is about."""
    kind = _kind(path)
    if kind and not _PRODUCTION.match(kind) and not _VARIANT.search(kind):
        return kind
    folder = path.parent
    while folder != root and folder.name.lower() in _STATES:
        folder = folder.parent
    return folder.name if folder != root else "web"


def _target(file: Dockerfile, asked: str | None, said: str, draft: Draft) -> str | None:
    """Return the stage to build: the one that was asked for, unless it is for development, or the one to release."""
    stage, released = file.stage(asked), file.released()
    if asked and stage is None:
        draft.leave_out(f"the stage {_shown(asked)}, which {said} does not have: its last one is built")
    if stage is None or released is None or not stage.is_aside or released.is_aside:
        return asked if stage is not None else None
    draft.guess(f"{said} is built up to its stage {released.target}: {stage.target} is not for production")
    return None if released.index == len(file.stages) - 1 else released.target


def _rather_production(path: Path, said: str, root: Path, draft: Draft) -> Path:
    """Return the Dockerfile for production that lies beside one for development."""
    if not re.search(r"(^|[._-])(dev|devel|development|local)([._-]|$)", _kind(path)):
        return path
    beside = [one for one in walk(path.parent, 0) if _FILE.match(one.name)]
    better = [one for one in beside if _PRODUCTION.match(_kind(one))] or [one for one in beside if not _kind(one)]
    if better:
        draft.guess(f"{said} builds {below(better[0], root)}: {path.name} is for development")
        return better[0]
    return path


def _build_args(args: Mapping[str, str], said: str, draft: Draft) -> dict[str, str]:
    """Return the build arguments that can stand in a file."""
    kept: dict[str, str] = {}
    for key, text in args.items():
        if text and is_secret(key, text, Surroundings()):
            draft.decide(
                f"{said}: the build argument {_shown(key)} holds a secret and was not copied; a build must not need one"
            )
        elif unknown_variables(text):
            draft.decide(
                f"{said}: the build argument {_shown(key)} has no value; write one under `build_args` if it is needed"
            )
        elif key:
            kept[key] = text
            if re.search(r"//(localhost|127\.0\.0\.1)\b", text):
                draft.decide(f"{said}: the build argument {_shown(key)} names localhost: say where users will find it")
    return kept


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
