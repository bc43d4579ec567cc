"""From a Dockerfile to an image in the registry, named by its digest."""

import logging
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from docker.errors import BuildError, DockerException, ImageNotFound
from docker.models.images import Image as EngineImage

from delivery.app import Image
from delivery.containers.bases import resolve_base
from delivery.containers.build_client import find_builder
from delivery.containers.certificates import own_certificates
from delivery.containers.client import connect
from delivery.containers.disk import check_disk, disk_message, free_bytes
from delivery.containers.dockerfile import external_bases, rewrite
from delivery.containers.failures import reported
from delivery.containers.pushing import publish_release as publish_release
from delivery.containers.pushing import push
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.programs import buildkit
from delivery.programs.buildkit import Builder, BuildOrder
from delivery.programs.run import run
from delivery.release import BaseImage, BuiltImage, Revision
from delivery.stand_ins import StandIns

BUILD_SECONDS = 3400
CACHE_TAG = "cache"

_SYNTAX = re.compile(r"\A(?:#[^\n]*\n)*?#\s*syntax\s*=\s*(\S+)", re.IGNORECASE)
_log = logging.getLogger("headway.builder")


def build_image(
    source: Path,
    name: str,
    image: Image,
    revision: Revision,
    *,
    repository: str,
    home: Home,
    run_id: str,
    key: str | None = None,
    origin: str = "",
    stand_ins: StandIns = "when-missing",
    builder: Builder | None = None,
) -> BuiltImage:
    """Build `image` from the files in `source`, push it to `repository` and return it by digest.

    `key` is where headway.yaml describes it, `origin` the address of the source's repository. Raises Misconfigured
    for a folder, file or stage that is not there, Rejected when the Dockerfile does not build or the disk is full,
    Transient when engine or registry stop answering.
    """
    started, key = time.monotonic(), key or f"images.{name}"
    context, dockerfile = _find_files(source, image, key)
    check_disk(key)
    builder = builder or find_builder()
    log = home.logs / run_id / f"build-{name}.log"
    tag = f"headway-{home.identity}-build:{uuid4().hex[:12]}"
    with TemporaryDirectory(prefix="headway-build-") as folder:
        bases, prepared, extra = _prepare_dockerfile(dockerfile, image, key, Path(folder), home, stand_ins)
        order = BuildOrder(
            context=context,
            dockerfile=prepared,
            tag=tag,
            target=image.target,
            args={**image.build_args, **extra},
            labels=_labels(repository, revision, origin),
            secrets=_secrets(dockerfile, Path(folder)),
        )
        try:
            built = _build(builder, order, repository, Path(folder), log, key)
            ref = push(built, repository, revision.sha[:12])
            push(built, repository, CACHE_TAG)
        finally:
            _untag(tag)
    return BuiltImage(
        name=name,
        ref=ref,
        builder=str(builder),
        bases=bases,
        seconds=round(time.monotonic() - started, 2),
        size_bytes=int(built.attrs["Size"]),
    )


def build_suite(
    source: Path,
    suite: str,
    image: Image,
    revision: Revision,
    *,
    repository: str,
    home: Home,
    run_id: str,
    origin: str = "",
    stand_ins: StandIns = "when-missing",
) -> BuiltImage:
    """Build and push the image that only the suite `suite` needs; its name is `suite-…`."""
    return build_image(
        source,
        f"suite-{suite}",
        image,
        revision,
        repository=repository,
        home=home,
        run_id=run_id,
        key=f"suites.{suite}.build",
        origin=origin,
        stand_ins=stand_ins,
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


def _prepare_dockerfile(
    dockerfile: Path, image: Image, key: str, folder: Path, home: Home, stand_ins: StandIns
) -> tuple[tuple[BaseImage, ...], Path, dict[str, str]]:
    """Return the bases, and the Dockerfile with arguments that starts from them; the user's own file stays as it is."""
    text = dockerfile.read_text(errors="surrogateescape")
    try:
        asked = external_bases(text, image.build_args, image.target)
    except Misconfigured as error:
        place = "target" if image.target and error.where == "Dockerfile" else "dockerfile"  # else it names a line
        raise Misconfigured(f"headway.yaml: {key}.{place}", error.found, error.allowed, error.next_step) from error
    bases = tuple(resolve_base(name, cache=home.cache, substitutes=image.bases, stand_ins=stand_ins) for name in asked)
    used = {base.asked: base.used for base in bases}
    if all(asked == name for asked, name in used.items()) and has_syntax(text, home):
        return bases, dockerfile, {}
    changed, extra = rewrite(text, image.build_args, used)
    prepared = folder / "Dockerfile"
    prepared.write_text(changed, errors="surrogateescape")
    ignored = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    if ignored.exists():
        shutil.copy(ignored, folder / "Dockerfile.dockerignore")
    return bases, prepared, extra


def has_syntax(text: str, home: Home) -> bool:
    """Whether the engine has, or can pull, the image that a `# syntax=` line names."""
    match = _SYNTAX.match(text)
    if match is None:
        return True
    try:
        resolve_base(match[1], cache=home.cache)
    except Misconfigured:
        _log.warning("%s cannot be pulled: the engine's own Dockerfile reader is used", match[1])
        return False
    return True


def _labels(repository: str, revision: Revision, origin: str) -> dict[str, str]:
    """Return the image's labels; `created` is the commit's time, so that equal sources give equal images."""
    values = {
        "title": repository.partition("/")[2],
        "revision": revision.sha,
        "version": revision.short,
        "created": revision.committed.isoformat() if revision.committed else "",
        "source": origin,
    }
    return {f"org.opencontainers.image.{name}": value for name, value in values.items() if value}


def _secrets(dockerfile: Path, folder: Path) -> dict[str, Path]:
    """Return the build secrets: `ca`, where the Dockerfile asks for it, and empty on a machine without its own."""
    if b"id=ca" not in dockerfile.read_bytes():
        return {}
    certificates = own_certificates()
    if certificates is None:
        certificates = folder / "no-certificates"
        certificates.touch()
    return {"ca": certificates}


def _build(builder: Builder, order: BuildOrder, repository: str, folder: Path, log: Path, key: str) -> EngineImage:
    """Build it and return the engine's image. Some Compose versions exit 0 after a failure, so the image decides."""
    if builder.kind == "classic":
        output, code = _build_classic(order, log)
    else:
        cached = order.model_copy(
            update={
                "args": {**order.args, "BUILDKIT_INLINE_CACHE": "1"},
                "cache_from": (f"{repository}:{CACHE_TAG}",),
            }
        )
        argv = buildkit.docker_argv(builder, cached)
        if builder.kind == "compose":
            (folder / "compose.yaml").write_text(buildkit.compose_file(cached))
            argv = buildkit.compose_argv(builder, folder / "compose.yaml")
        done = run(argv, timeout_seconds=BUILD_SECONDS, env=buildkit.ENVIRONMENT, accept=range(256), log=log)
        output, code = f"{done.stdout}\n{done.stderr}", done.returncode
    with reported(f"{key}: looking at what was built"):
        try:
            if code == 0:
                return connect().images.get(order.tag)
        except ImageNotFound:
            pass
        connect().ping()
    raise _failure(output, log, key)


def _build_classic(order: BuildOrder, log: Path) -> tuple[str, int]:
    with reported("building with the classic builder"):
        try:
            _, events = connect(timeout_seconds=BUILD_SECONDS).images.build(
                path=str(order.context),
                dockerfile=str(order.dockerfile),
                tag=order.tag,
                target=order.target or "",
                buildargs=order.args,
                labels=order.labels,
                rm=True,
                forcerm=True,
            )
            output, code = _text(events), 0
        except BuildError as error:
            output, code = f"{_text(error.build_log)}\n{error.msg}", 1
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(output)
    return output, code


def _text(events: Iterator[object]) -> str:
    return "".join(str(event.get("stream", "")) for event in events if isinstance(event, dict))


def _failure(output: str, log: Path, key: str) -> Rejected:
    if buildkit.says_disk_full(output):
        return Rejected(f"{key}: {disk_message(free_bytes())}\n  full log: {log}")
    step, lines = buildkit.failed_step(output)
    where = f"the build failed in step {step}" if step else "the Dockerfile does not build"
    return Rejected("\n".join([f"{key}: {where}", *(f"  {line}" for line in lines), f"  full log: {log}"]))


def _untag(tag: str) -> None:
    try:
        connect().images.remove(tag, noprune=True)
    except (DockerException, OSError) as error:
        _log.debug("%s stays: %s", tag, error)
