"""The images of a Compose file: delivered, built or had from elsewhere, under names the engine knows."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from docker import DockerClient
from docker.errors import DockerException, ImageNotFound

from delivery.docker.engine.engine_watch import engine_watched
from delivery.docker.images.build_failures import build_failed, engine_died
from delivery.docker.images.builder import BUILD_SECONDS
from delivery.docker.images.preparation import Engine, Prepared, prepare
from delivery.docker.sandbox.sandbox import Sandbox
from delivery.errors import Misconfigured
from delivery.programs import buildkit
from delivery.programs.buildkit import Builder
from delivery.programs.compose import Compose, Document, build_argv, to_build, with_built_images, write_document
from delivery.programs.run import run
from delivery.redaction import Redaction


def have_images(
    sandbox: Sandbox,
    compose: Compose,
    document: Document,
    *,
    key: str,
    folder: Path,
    env: Mapping[str, str | None],
    log: Path,
    hide: Redaction,
) -> Document:
    """Build what is to be built and return the document in which every image is one that the engine has.

    Raises Rejected with the last lines of a build that failed, Misconfigured for an image that cannot be had.
    """
    services, built = document["services"], to_build(document)
    if built:
        with TemporaryDirectory(prefix="headway-compose-") as temporary:
            text = write_document(_prepared(sandbox, compose, document, key, Path(temporary)))
            argv = build_argv(compose, sandbox.name, folder, built)
            with engine_watched(sandbox.client) as watch:
                done = run(
                    argv, timeout_seconds=BUILD_SECONDS, env=env, stdin=text, accept=range(256), log=log, hide=hide
                )
                if watch.engine_died():
                    raise engine_died(done.stdout, key, log)
        if done.returncode or not all(_is_there(sandbox, services[name]["image"]) for name in built):
            raise build_failed(done.stdout, key, log)
    names = {services[name]["image"] for name in built}
    asked = {one["image"] for one in services.values()} - names
    return with_built_images(document, {name: sandbox.image(name) for name in sorted(asked)})


def remove_built(client: DockerClient, document: Document) -> None:
    """Remove the images that were built for these services; what the engine keeps of them is its cache."""
    for name in to_build(document):
        with contextlib.suppress(DockerException, OSError):  # it was not built
            client.images.remove(document["services"][name]["image"], force=True)


def _prepared(sandbox: Sandbox, compose: Compose, document: Document, key: str, folder: Path) -> Document:
    """Return the document whose images are built from ones that the engine has, and trust what the machine trusts."""
    engine = Engine.of(sandbox.client, Builder(kind="compose", version=compose.version))
    services, secrets = dict(document["services"]), dict(document.get("secrets") or {})
    for name in to_build(document):
        place = folder / name
        place.mkdir()
        build, prepared = _prepare(sandbox, engine, services[name]["build"], f"{key}: service {name}", place)
        own = {f"headway-{name}-{secret}": path for secret, path in prepared.secrets.items()}
        secrets |= {key: {"file": str(path)} for key, path in own.items()}
        given = [{"source": f"headway-{name}-{secret}", "target": secret} for secret in prepared.secrets]
        if given:
            build = {**build, "secrets": [*(build.get("secrets") or ()), *given]}
        services[name] = {**services[name], "build": build}
    return {**document, "services": services, **({"secrets": secrets} if secrets else {})}


def _prepare(
    sandbox: Sandbox, engine: Engine, build: dict[str, Any], where: str, folder: Path
) -> tuple[dict[str, Any], Prepared]:
    build = {name: value for name, value in build.items() if name != "cache_to"}
    build["args"] = buildkit.without_inline_cache(build.get("args") or {})
    path = Path(build["context"], build.get("dockerfile", "Dockerfile"))
    if not build.get("dockerfile_inline") and not path.is_file():
        return build, Prepared()  # sources from elsewhere; or nothing, and then Compose says so
    text = build.get("dockerfile_inline") or path.read_text(encoding="utf-8", errors="surrogateescape")
    contexts = build.get("additional_contexts") or {}
    try:
        prepared = prepare(
            text,
            build_args={name: text for name, text in build["args"].items() if text is not None},
            target=build.get("target"),
            resolve=sandbox.base,
            engine=engine,
            folder=folder,
            given=tuple(contexts),
        )
    except Misconfigured as error:
        raise Misconfigured(f"{where}: {error.where}", error.found, error.allowed, error.next_step) from error
    if prepared.contexts:
        more = {name: f"docker-image://{used}" for name, used in prepared.contexts.items()}
        build = {**build, "additional_contexts": {**more, **contexts}}
    if prepared.text is None:
        return build, prepared
    kept = {name: value for name, value in build.items() if name != "dockerfile"}
    return {**kept, "dockerfile_inline": prepared.text}, prepared


def _is_there(sandbox: Sandbox, image: str) -> bool:
    try:
        sandbox.client.images.get(image)
    except ImageNotFound:
        return False
    return True
