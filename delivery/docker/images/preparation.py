"""What stands between a user's Dockerfile and the engine: images it has, and authorities the machine trusts.

The user's own file is used as it is wherever that does; what cannot be understood is left to the engine.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from docker import DockerClient

from delivery.docker.images.bases import look_for_all, resolve_base
from delivery.docker.images.certificates import ENVIRONMENT, MOUNTS, own_bundle, write_files
from delivery.dockerfiles.changes import needs_no_change, starting_from, with_files, without_syntax
from delivery.dockerfiles.parsing import directives
from delivery.dockerfiles.reading import Dockerfile, read
from delivery.dockerfiles.variables import NotUnderstood
from delivery.errors import Misconfigured, all_of
from delivery.home import Home
from delivery.programs.buildkit import Builder, takes_contexts
from delivery.releases.release import BaseImage
from delivery.spec.images import CA_SECRET
from delivery.spec.stand_ins import StandIns

Resolve = Callable[[str], BaseImage]

_log = logging.getLogger("headway.builder")


def platform_of(client: DockerClient) -> str:
    """Return what the engine runs on, as Docker writes it: `linux/amd64`."""
    version = client.version()
    return f"{version['Os']}/{version['Arch']}"


@dataclass(frozen=True)
class Engine:
    """What the engine and the program that builds on it can do."""

    platform: str = "linux/amd64"
    takes_contexts: bool = False
    takes_mounts: bool = True

    @classmethod
    def of(cls, client: DockerClient, builder: Builder) -> "Engine":
        """Return what is known of `client`'s engine when `builder` is used."""
        return cls(
            platform=platform_of(client),
            takes_contexts=takes_contexts(builder, str(client.version()["Version"])),
            takes_mounts=builder.kind != "classic",
        )


@dataclass(frozen=True)
class Prepared:
    """How a Dockerfile is built: `text` is none where the user's own is right; the rest is given to the builder."""

    text: str | None = None
    bases: tuple[BaseImage, ...] = ()
    contexts: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)


def external_bases(text: str, build_args: Mapping[str, str], target: str | None, platform: str) -> list[str]:
    """Return the images that building `target` needs from outside; none where only the engine knows.

    Raises Misconfigured for a stage that does not exist or a FROM whose build argument has no value.
    """
    try:
        return read(text, build_args, platform).bases(target)
    except NotUnderstood:
        return []


def prepare(
    text: str,
    *,
    build_args: Mapping[str, str],
    target: str | None,
    resolve: Resolve,
    engine: Engine,
    folder: Path,
    given: Collection[str] = (),
) -> Prepared:
    """Return how `text` is built on `engine`; `folder` takes the files of its secrets.

    `given` are names that mean something else than an image. Raises Misconfigured, naming all of them, for images
    that cannot be had.
    """
    syntax = next((value for name, value in directives(text) if name == "syntax"), None)
    wanted = text if syntax is None or _has(syntax, resolve) else without_syntax(text)
    bases: tuple[BaseImage, ...] = ()
    contexts: dict[str, str] = {}
    bundle = own_bundle()
    secrets = _asked_for(text, folder, bundle)
    try:
        dockerfile = read(wanted, build_args, engine.platform)
        bases, missing = look_for_all((name for name in dockerfile.bases(target) if name not in given), resolve)
        if missing:
            raise all_of(missing)
        used = {base.asked: base.used for base in bases}
        if engine.takes_contexts:
            contexts = {_familiar(asked): name for asked, name in used.items() if asked != name}
        elif not needs_no_change(dockerfile, used):
            wanted = starting_from(dockerfile, used)
        if bundle and engine.takes_mounts and any(stage.runs for stage in dockerfile.stages):
            secrets |= write_files(bundle, folder)
            wanted = with_files(_read_again(dockerfile, wanted, build_args, engine), MOUNTS, ENVIRONMENT)
    except NotUnderstood as reason:
        _log.info("the Dockerfile is left to the engine as it is: %s", reason)
    return Prepared(wanted if wanted != text else None, bases, contexts, secrets)


def resolver(home: Home, substitutes: Mapping[str, str] = {}, stand_ins: StandIns = "when-missing") -> Resolve:
    """Return how images are looked for on the engine that Headway builds with."""
    return lambda asked: resolve_base(asked, home=home, substitutes=substitutes, stand_ins=stand_ins)


def _has(syntax: str, resolve: Resolve) -> bool:
    try:
        resolve(syntax)
    except Misconfigured:
        _log.warning("%s cannot be pulled: the engine's own Dockerfile reader is used", syntax)
        return False
    return True


def _read_again(before: Dockerfile, text: str, build_args: Mapping[str, str], engine: Engine) -> Dockerfile:
    return before if text == before.text else read(text, build_args, engine.platform)


def _asked_for(text: str, folder: Path, bundle: bytes | None) -> dict[str, Path]:
    """Return the secret `ca` where the Dockerfile itself asks for it: empty on a machine without an own authority."""
    if f"id={CA_SECRET}" not in text:
        return {}
    (folder / CA_SECRET).write_bytes(bundle or b"")
    return {CA_SECRET: folder / CA_SECRET}


def _familiar(name: str) -> str:
    """Return the name of an image as the engine shortens it, which is how it looks a context up."""
    short = name.removeprefix("docker.io/").removeprefix("library/")
    return short.removesuffix(":latest")
