"""The images of a Compose file: delivered, built or had from elsewhere, under names the engine knows."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import DockerException, ImageNotFound

from delivery.containers.bed import Bed
from delivery.containers.builder import BUILD_SECONDS, has_syntax
from delivery.containers.dockerfile import external_bases, rewrite
from delivery.errors import Misconfigured, Rejected
from delivery.programs import buildkit
from delivery.programs.compose import Compose, Document, build_argv, to_build, with_built_images, write_document
from delivery.programs.run import run


def have_images(
    bed: Bed, compose: Compose, document: Document, *, key: str, folder: Path, env: Mapping[str, str], log: Path
) -> Document:
    """Build what is to be built and return the document in which every image is one that the engine has.

    Raises Rejected with the last lines of a build that failed, Misconfigured for an image that cannot be had.
    """
    services, built = document["services"], to_build(document)
    if built:
        prepared = {name: _prepared(bed, services[name]["build"], f"{key}: service {name}") for name in built}
        changed = {name: {**one, "build": prepared[name]} if name in built else one for name, one in services.items()}
        text = write_document({**document, "services": changed})
        argv = build_argv(compose, bed.name, folder, built)
        done = run(argv, timeout_seconds=BUILD_SECONDS, env=env, stdin=text, accept=range(256), log=log)
        if done.returncode or not all(_is_there(bed, services[name]["image"]) for name in built):
            raise _failure(f"{done.stdout}\n{done.stderr}", key, log)
    names = {services[name]["image"] for name in built}
    asked = {one["image"] for one in services.values()} - names
    return with_built_images(document, {name: bed.image(name) for name in sorted(asked)})


def remove_built(client: DockerClient, document: Document) -> None:
    """Remove the images that were built for these services; what the engine keeps of them is its cache."""
    for name in to_build(document):
        with contextlib.suppress(DockerException, OSError):  # it was not built
            client.images.remove(document["services"][name]["image"], force=True)


def _prepared(bed: Bed, build: dict[str, Any], where: str) -> dict[str, Any]:
    """Return how the service is built, starting from images that the engine has."""
    path = Path(build["context"], build.get("dockerfile", "Dockerfile"))
    if not build.get("dockerfile_inline") and not path.is_file():
        return build  # sources from elsewhere; or nothing, and then Compose says so
    text = build.get("dockerfile_inline") or path.read_text(errors="surrogateescape")
    args = {name: text for name, text in (build.get("args") or {}).items() if text is not None}
    try:
        asked = external_bases(text, args, build.get("target"))
    except Misconfigured as error:
        raise Misconfigured(f"{where}: {error.where}", error.found, error.allowed, error.next_step) from error
    contexts = build.get("additional_contexts") or {}
    used = {name: bed.image(name) for name in asked if name not in contexts}
    if all(name == image for name, image in used.items()) and has_syntax(text, bed.home):
        return build
    changed, extra = rewrite(text, args, used)
    kept = {name: value for name, value in build.items() if name != "dockerfile"}
    return {**kept, "dockerfile_inline": changed, "args": {**(build.get("args") or {}), **extra}}


def _is_there(bed: Bed, image: str) -> bool:
    try:
        bed.client.images.get(image)
    except ImageNotFound:
        return False
    return True


def _failure(output: str, key: str, log: Path) -> Rejected:
    step, lines = buildkit.failed_step(output)
    where = f"the build failed in step {step}" if step else "an image could not be built"
    return Rejected("\n".join([f"{key}: {where}", *lines, f"full log: {log}"]))
