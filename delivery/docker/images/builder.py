"""From a Dockerfile to an image in the registry, named by its digest."""

import logging
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from docker.errors import DockerException, ImageNotFound
from docker.models.images import Image as EngineImage

from delivery.docker.engine.client import connect
from delivery.docker.engine.disk import check_disk
from delivery.docker.engine.engine_watch import engine_watched
from delivery.docker.engine.failures import reported
from delivery.docker.images.build_client import find_builder
from delivery.docker.images.build_failures import build_failed, engine_died
from delivery.docker.images.build_secrets import write_secrets
from delivery.docker.images.client_config import client_folder
from delivery.docker.images.holding import hold
from delivery.docker.images.preparation import (
    Engine,
    Prepared,
    Resolve,
    external_bases,
    platform_of,
    prepare,
    resolver,
)
from delivery.docker.images.pushing import push, push_once
from delivery.docker.images.registry_state import login_of
from delivery.errors import Misconfigured, Transient
from delivery.home import Home
from delivery.ports.builder import BuildRequest
from delivery.programs import buildkit
from delivery.programs.buildkit import Builder, BuildOrder, Progress
from delivery.programs.run import run
from delivery.progress import Tell, told
from delivery.redaction import Redaction
from delivery.releases.release import BuiltImage, Revision, without_registry
from delivery.spec.images import Image

BUILD_SECONDS = 3400
CACHE_TAG = "cache"
# The engine's way to keep images that can export a build's cache; the older one cannot.
CONTAINERD_STORE = "io.containerd.snapshotter.v1"

_log = logging.getLogger("headway.builder")


def build_image(
    request: BuildRequest,
    *,
    repository: str,
    home: Home,
    builder: Builder | None = None,
    tell: Tell = lambda _: None,
    keeps_tags: bool = False,
    pushes: bool = True,
) -> BuiltImage:
    """Build what is asked for, push it to `repository`, `host:port/app/name`, and return it by digest.

    `tell` is called with what a long build does. In a registry that `keeps_tags` each image has a tag of its own, and
    no cache is kept, which would be one tag that moves. Unless it `pushes`, the image stays on the engine. Raises
    Misconfigured for what is not there and for secrets without BuildKit, Rejected when the Dockerfile does not build,
    the disk is full or the engine ends meanwhile, Transient when engine or registry do not answer.
    """
    started, key, image, revision = time.monotonic(), request.key, request.image, request.revision
    context, dockerfile = _find_files(request.source, image, key)
    check_disk(key)
    builder = builder or find_builder()
    log = home.logs / request.run / f"build-{request.name}.log"
    with TemporaryDirectory(prefix="headway-build-") as temporary, _tag(home) as tag:
        folder = Path(temporary)
        with reported(f"{key}: looking at the engine"):
            engine = Engine.of(connect(), builder)
        resolve = resolver(home, image.bases, request.stand_ins)
        prepared, file = _prepare(dockerfile, image, key, folder, resolve, engine)
        secrets = {**prepared.secrets, **write_secrets(request.secrets, folder, builder, key)}
        labels = _labels(repository, revision, request.origin)
        order = _order(image, prepared, context, file, tag=tag, labels=labels, secrets=secrets)
        order = order if keeps_tags or not pushes else _with_cache(order, builder, repository, folder, home)
        built = _build(builder, order, folder, log, key, tell, Redaction(request.secrets.values()))
        if not pushes:
            ref = hold(built, repository, request.name, request.run, home)
        else:
            ref = push_once(built, repository, home) if keeps_tags else push(built, repository, revision.sha[:12], home)
    return BuiltImage(
        name=request.name,
        ref=ref,
        builder=str(builder),
        bases=prepared.bases,
        seconds=round(time.monotonic() - started, 2),
        size_bytes=int(built.attrs["Size"]),
    )


def _find_files(source: Path, image: Image, key: str) -> tuple[Path, Path]:
    context = (source / image.context).resolve()
    if not context.is_dir() or not context.is_relative_to(source.resolve()):
        raise Misconfigured(
            f"headway.yaml: {key}.context", f"no folder {image.context}", "a folder beside headway.yaml"
        )
    dockerfile = (context / image.dockerfile).resolve()
    if not dockerfile.is_file() or not dockerfile.is_relative_to(source.resolve()):
        there = sorted(path.relative_to(context).as_posix() for path in context.glob("*ockerfile*"))
        allowed = ", ".join(there) or "a Dockerfile, relative to the context"
        raise Misconfigured(
            f"headway.yaml: {key}.dockerfile", f"no file {image.dockerfile} in {image.context}", allowed
        )
    return context, dockerfile


def bases_of(source: Path, image: Image, key: str) -> list[str]:
    """Return the images that the Dockerfile of `image` starts from, as far as it is understood.

    Raises Misconfigured for a folder, file or stage that is not there, as a build would.
    """
    _, dockerfile = _find_files(source, image, key)
    text = dockerfile.read_text(encoding="utf-8", errors="surrogateescape")
    try:
        return external_bases(text, image.build_args, image.target, platform_of(connect()))
    except Misconfigured as error:
        raise at_key(error, key, image.target) from error


def _prepare(
    dockerfile: Path, image: Image, key: str, folder: Path, resolve: Resolve, engine: Engine
) -> tuple[Prepared, Path]:
    """Return what is given to the builder, and the Dockerfile it reads; the user's own stays as it is."""
    text = dockerfile.read_text(encoding="utf-8", errors="surrogateescape")
    try:
        prepared = prepare(
            text,
            build_args=image.build_args,
            target=image.target,
            resolve=resolve,
            engine=engine,
            folder=folder,
        )
    except Misconfigured as error:
        raise at_key(error, key, image.target) from error
    if prepared.text is None:
        return prepared, dockerfile
    file = folder / "Dockerfile"
    file.write_text(prepared.text, encoding="utf-8", errors="surrogateescape")
    ignored = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    if ignored.exists():
        shutil.copy(ignored, folder / "Dockerfile.dockerignore")
    return prepared, file


def at_key(error: Misconfigured, key: str, target: str | None) -> Misconfigured:
    """Return what is wrong in a Dockerfile as something wrong at its place in headway.yaml."""
    if not error.where.startswith("Dockerfile"):
        return Misconfigured(f"headway.yaml: {key}: {error.where}", error.found, error.allowed, error.next_step)
    place = "target" if target and error.where == "Dockerfile" else "dockerfile"  # else it names a line
    return Misconfigured(f"headway.yaml: {key}.{place}", error.found, error.allowed, error.next_step)


def _with_cache(order: BuildOrder, builder: Builder, repository: str, folder: Path, home: Home) -> BuildOrder:
    """Return the order that keeps the steps' results in the registry where the engine can; else it keeps its own."""
    if builder.kind != "buildx":
        return order
    with reported("looking at the engine's image store"):
        exports = ["driver-type", CONTAINERD_STORE] in (connect().info().get("DriverStatus") or [])
    if not exports:
        return order
    login = login_of(repository, home)
    client = client_folder(folder / "docker", login) if login else None
    return order.model_copy(update={"cache": f"{repository}:{CACHE_TAG}", "client": client})


def _order(
    image: Image,
    prepared: Prepared,
    context: Path,
    dockerfile: Path,
    *,
    tag: str,
    labels: dict[str, str],
    secrets: Mapping[str, Path],
) -> BuildOrder:
    return BuildOrder(
        context=context,
        dockerfile=dockerfile,
        tag=tag,
        target=image.target,
        args=buildkit.without_inline_cache(image.build_args),
        labels=labels,
        contexts=dict(prepared.contexts),
        secrets=dict(secrets),
    )


def _labels(repository: str, revision: Revision, origin: str) -> dict[str, str]:
    """Return the image's labels; `created` is the commit's time, so that equal sources give equal images."""
    values = {
        "title": without_registry(repository),
        "revision": revision.sha,
        "version": revision.short,
        "created": revision.committed.isoformat() if revision.committed else "",
        "source": origin,
    }
    return {f"org.opencontainers.image.{name}": value for name, value in values.items() if value}


def _build(
    builder: Builder, order: BuildOrder, folder: Path, log: Path, key: str, tell: Tell, hide: Redaction
) -> EngineImage:
    """Build it and return the engine's image. Some Compose versions exit 0 after a failure, so the image decides."""
    with reported(f"{key}: asking the engine"), engine_watched() as watch:
        try:
            output, code = _run(builder, order, folder, log, tell, hide)
        except Transient as error:
            if watch.engine_died():
                raise engine_died("", key, log) from error
            raise
        if watch.engine_died():
            raise engine_died(output, key, log)
        if code == 0:
            try:
                return connect().images.get(order.tag)
            except ImageNotFound:
                pass
    raise build_failed(output, key, log)


def _run(builder: Builder, order: BuildOrder, folder: Path, log: Path, tell: Tell, hide: Redaction) -> tuple[str, int]:
    """Return what the build printed, without its secrets, and its exit code."""
    progress = Progress()
    if builder.kind == "classic":
        with told(lambda: progress.step, tell):
            return _build_classic(order, log, progress)
    argv = buildkit.docker_argv(builder, order)
    if builder.kind == "compose":
        (folder / "compose.yaml").write_text(buildkit.compose_file(order), encoding="utf-8")
        argv = buildkit.compose_argv(builder, folder / "compose.yaml")
    with told(lambda: progress.step, tell):
        done = run(
            argv,
            timeout_seconds=BUILD_SECONDS,
            env={**buildkit.ENVIRONMENT, **({"DOCKER_CONFIG": str(order.client)} if order.client else {})},
            accept=range(-64, 256),
            log=log,
            on_line=progress.read,
            hide=hide,
        )
    return done.stdout, done.returncode


def _build_classic(order: BuildOrder, log: Path, progress: Progress) -> tuple[str, int]:
    log.parent.mkdir(parents=True, exist_ok=True)
    output, error = list[str](), ""
    with reported("building with the classic builder"), log.open("w", encoding="utf-8") as file:
        for event in connect(timeout_seconds=BUILD_SECONDS).api.build(
            path=str(order.context),
            dockerfile=str(order.dockerfile),
            tag=order.tag,
            target=order.target or "",
            buildargs=order.args,
            labels=order.labels,
            rm=True,
            forcerm=True,
            decode=True,
        ):
            error = error or str(event.get("error") or "")
            text = str(event.get("stream") or event.get("error") or "")
            output.append(text)
            file.write(text)
            file.flush()
            progress.read(text.strip())
    return "".join(output), int(bool(error))


@contextmanager
def _tag(home: Home) -> Iterator[str]:
    """Yield the name an image is built under, and take it away at the end: the registry has the image then."""
    tag = f"headway-{home.identity}-build:{uuid4().hex[:12]}"
    try:
        yield tag
    finally:
        try:
            connect().images.remove(tag, noprune=True)
        except (DockerException, OSError) as error:
            _log.debug("%s stays: %s", tag, error)
