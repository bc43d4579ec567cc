"""Command lines of the programs that build with BuildKit, and what their output says; all of it pure."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import yaml

from delivery.model import Model

Kind = Literal["buildx", "docker", "compose", "classic"]

# One engine for all of them: the one that the Docker SDK talks to.
ENVIRONMENT: Mapping[str, str] = {
    "DOCKER_BUILDKIT": "1",
    "DOCKER_CONTEXT": "default",
    "BUILDX_BUILDER": "default",
    "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",  # they carry the time, and turn an image into an index
    "COMPOSE_BAKE": "false",
}
LAST_LINES = 15
INLINE_CACHE = "BUILDKIT_INLINE_CACHE"

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_STEP = re.compile(r"^#(\d+) (.*)$")
_NO_STEP = re.compile(r"^(#\d+ |time=\")")
_PREFIX = re.compile(r"^(\d+\.\d+ )?")
_DISK_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
# What npm, pip, uv, curl, git, Go and Java say of an authority they do not know; npm may only say that it fell over.
_UNTRUSTED = re.compile(
    r"SELF_SIGNED_CERT|UNABLE_TO_(VERIFY_LEAF|GET_ISSUER)|CERTIFICATE_VERIFY_FAILED|UnknownIssuer"
    r"|PKIX path building failed|unable to get local issuer certificate|signed by unknown authority"
    r"|certificate verif(y|ication) failed|certificate is NOT trusted|Exit handler never called",
    re.IGNORECASE,
)
_OLD_STEP = re.compile(r"^Step (\d+/\d+) : (.+)$")
_TITLE = re.compile(r"^\[(?![^\]]*internal\])")
_ENDED = re.compile(r"^(DONE \d|CACHED$|ERROR: |CANCELED$)")
_OWN_MOUNTS = re.compile(r"--mount=type=secret,id=headway-\S+ ")  # what a Dockerfile was given, and nobody wrote
_NOISE = re.compile(r"^(sha256:[0-9a-f]{64}$|transferring |DONE |CACHED$|ERROR: )")


class Builder(Model):
    """A program that builds images; `classic` is the engine's old builder, spoken to without a program."""

    kind: Kind
    program: str = ""
    version: str

    def __str__(self) -> str:
        """Name and version, as a report shows them."""
        names = {
            "buildx": "docker buildx",
            "docker": "docker (BuildKit built in)",
            "compose": "docker compose (BuildKit)",
            "classic": "classic builder of Docker Engine",
        }
        return f"{names[self.kind]} {self.version}"


class BuildOrder(Model):
    """One image to build: everything in it is a path on this machine or a name.

    `cache` is where in a registry the steps' results are kept, `client` the folder with a login for that, `contexts`
    which image is used for one the Dockerfile names. The cache inside an image (`BUILDKIT_INLINE_CACHE`) is never asked
    for: it ends Docker Engine 20.10.
    """

    context: Path
    dockerfile: Path
    tag: str
    target: str | None = None
    args: dict[str, str] = {}
    labels: dict[str, str] = {}
    cache: str | None = None
    contexts: dict[str, str] = {}
    secrets: dict[str, Path] = {}
    client: Path | None = None


class FailedStep(NamedTuple):
    """The step a build ended in, and the last things it printed."""

    step: str
    lines: tuple[str, ...]


def without_inline_cache(args: Mapping[str, str]) -> dict[str, str]:
    """Return build arguments that ask for no cache inside the image: it ends Docker Engine 20.10, for everybody."""
    return {name: value for name, value in args.items() if name != INLINE_CACHE}


def docker_argv(builder: Builder, order: BuildOrder) -> list[str]:
    """Build with `docker build`, or with buildx."""
    start = ["buildx", "build", "--load"] if builder.kind == "buildx" else ["build"]
    argv = [builder.program, *start, "--progress", "plain", "--tag", order.tag, "--file", str(order.dockerfile)]
    if order.target:
        argv += ["--target", order.target]
    argv += _repeated("--build-arg", [f"{key}={value}" for key, value in order.args.items()])
    argv += _repeated("--label", [f"{key}={value}" for key, value in order.labels.items()])
    if order.cache:
        kept = f"type=registry,ref={order.cache}"
        argv += ["--cache-from", kept, "--cache-to", f"{kept},mode=max,ignore-error=true"]
    argv += _repeated("--build-context", [f"{name}=docker-image://{used}" for name, used in order.contexts.items()])
    argv += _repeated("--secret", [f"id={name},src={path}" for name, path in order.secrets.items()])
    return [*argv, str(order.context)]


def compose_argv(builder: Builder, file: Path) -> list[str]:
    """Build what `compose_file` describes; the project's name ends up in the image's labels."""
    return [
        *(builder.program, "--file", str(file), "--project-directory", str(file.parent)),
        *("--project-name", "headway", "--progress", "plain", "build"),
    ]


def compose_file(order: BuildOrder) -> str:
    """Return a Compose file whose only service is built as `order` says."""
    build: dict[str, object] = {
        "context": str(order.context),
        "dockerfile": str(order.dockerfile),
        "args": order.args,
        "labels": order.labels,
        "additional_contexts": {name: f"docker-image://{used}" for name, used in order.contexts.items()},
        "secrets": list(order.secrets),
    }
    if order.target:
        build["target"] = order.target
    service = {"image": order.tag, "build": {key: value for key, value in build.items() if value}}
    secrets = {name: {"file": str(path)} for name, path in order.secrets.items()}
    document = {"services": {"image": service}, **({"secrets": secrets} if secrets else {})}
    return yaml.safe_dump(document, sort_keys=False).replace("$", "$$")


def buildx_version(output: str) -> str | None:
    """Return the version `docker buildx version` tells."""
    return _version(output)


def built_in_version(output: str) -> str | None:
    """Return the version `docker --version` tells when that client carries BuildKit itself: 18.09 up to 20.10."""
    version = _version(output)
    return version if version and (18, 9) <= _major_minor(version) < (23, 0) else None


def compose_version(output: str) -> str | None:
    """Return the version of a Compose that carries BuildKit; 1 has none, and 5 leaves it to buildx."""
    version = _version(output)
    return version if version and _major_minor(version)[0] == 2 else None


def takes_contexts(builder: Builder, engine_version: str) -> bool:
    """Whether images can be replaced beside the Dockerfile: by its reader since Docker Engine 23.

    https://docs.docker.com/reference/cli/docker/buildx/build/#build-context
    """
    version = _version(engine_version)
    return builder.kind in ("buildx", "compose") and version is not None and _major_minor(version) >= (23, 0)


def failed_step(output: str) -> FailedStep:
    """Return the step that failed; without one, as for a Dockerfile that cannot be read, the end of the output."""
    steps: dict[str, list[str]] = {}
    failed = ""
    for line in output.splitlines():
        if match := _STEP.match(line):
            number, text = match.groups()
            if text.startswith("ERROR: ") and number in steps:
                failed = number
            steps.setdefault(number, []).append(text)
    if failed:
        title, *rest = steps[failed]
        errors = [text for text in rest if text.startswith("ERROR: ")]
        said = [_PREFIX.sub("", text) for text in rest if not _NOISE.match(text)]
        return FailedStep(_OWN_MOUNTS.sub("", title), tuple((said + errors)[-LAST_LINES:]))
    rest = [line for line in output.splitlines() if line.strip() and not _NO_STEP.match(line)]
    return FailedStep("", tuple(rest[-LAST_LINES:]))


def last_step(output: str) -> str:
    """Return the step of the Dockerfile a build was in when its output ended; empty when it was in none."""
    progress = Progress()
    for line in output.splitlines():
        progress.read(line)
    return progress.step


class Progress:
    """Which step a build is in, from the lines it prints."""

    def __init__(self) -> None:
        self._titles: dict[str, str] = {}
        self._ended: set[str] = set()

    def read(self, line: str) -> None:
        """Take one line of the output."""
        if match := _OLD_STEP.match(line):  # one at a time
            self._titles = {"": f"[{match[1]}] {match[2]}"}
        elif match := _STEP.match(line):
            number, text = match.groups()
            self._titles.setdefault(number, text)
            if _ENDED.match(text):
                self._ended.add(number)

    @property
    def step(self) -> str:
        """The newest step of the Dockerfile that has not ended; empty between two."""
        running = [title for number, title in self._titles.items() if number not in self._ended]
        newest = next((title for title in reversed(running) if _TITLE.match(title)), "")
        return _OWN_MOUNTS.sub("", newest)


def says_disk_full(output: str) -> bool:
    """Whether a program failed for want of space; no exit code tells that apart."""
    return bool(_DISK_FULL.search(output))


def says_untrusted(output: str) -> bool:
    """Whether a program in the build met a certificate that it does not trust; no exit code tells that apart."""
    return bool(_UNTRUSTED.search(output))


def _repeated(flag: str, values: list[str] | tuple[str, ...]) -> list[str]:
    return [part for value in values for part in (flag, value)]


def _version(output: str) -> str | None:
    match = _VERSION.search(output)
    return match[0] if match else None


def _major_minor(version: str) -> tuple[int, int]:
    major, minor, _ = version.split(".")
    return int(major), int(minor)
