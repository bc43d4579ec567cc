"""A service of a Compose file as values, whichever of its forms it was written in."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from delivery.discovery.compose_files import ComposeFile, as_table
from delivery.discovery.dockerfiles import as_port
from delivery.discovery.folders import below
from delivery.discovery.interpolation import env_file, mark_of, without_unknown
from delivery.discovery.shapes import items, table, word

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|h|m|s)")
_SECONDS = {"ms": 0.001, "us": 0.000001, "h": 3600.0, "m": 60.0, "s": 1.0}
_TRAEFIK_PORT = re.compile(r"^traefik\.(?:http\.services\.[^.]+\.loadbalancer\.server\.port|port)$")
_TRAEFIK_RULE = re.compile(r"^traefik\.(?:http\.routers\.[^.]+\.rule|frontend\.rule)$")
_PREFIX = re.compile(r"PathPrefix(?:Strip)?(?:\(|:)\s*([^)]*)\)?")


@dataclass(frozen=True)
class Mount:
    """Something mounted into a container: `kind` is `volume`, `bind` or `tmpfs`."""

    kind: str
    source: str
    target: str


@dataclass(frozen=True)
class ComposeBuild:
    """How a service is built; paths as the file writes them."""

    context: str
    dockerfile: str
    target: str
    args: Mapping[str, str]
    is_inline: bool = False


@dataclass(frozen=True)
class ComposeService:
    """What the file says of one service; variables without a value are still marked in the texts."""

    name: str
    image: str = ""
    build: ComposeBuild | None = None
    command: list[str] | None = None
    entrypoint: list[str] | None = None
    published: tuple[int, ...] = ()
    exposed: tuple[int, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    env_files: tuple[str, ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)
    check: tuple[str, ...] = ()
    start_period_seconds: float | None = None
    mounts: tuple[Mount, ...] = ()
    profiles: tuple[str, ...] = ()
    replicas: int | None = None
    stop_seconds: float | None = None
    routes: tuple[str, ...] = ()
    working_folder: str = ""
    other_names: tuple[str, ...] = ()
    special: tuple[str, ...] = ()  # keys that ask for more of the machine than a release gets

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of its container that the file names, those for others first."""
        return (*self.published, *self.exposed)

    @property
    def words(self) -> list[str]:
        """Everything it runs instead of its image's own command."""
        return [*(self.entrypoint or []), *(self.command or [])]

    @property
    def binds(self) -> list[Mount]:
        """What it mounts from the machine."""
        return [mount for mount in self.mounts if mount.kind == "bind"]


def services_of(file: ComposeFile, root: Path) -> dict[str, ComposeService]:
    """Return every service of the file by its name."""
    return {name: _service(name, content, file, root) for name, content in file.services.items()}


def _service(name: str, content: dict[str, Any], file: ComposeFile, root: Path) -> ComposeService:
    deploy, check, labels = (
        table(content.get("deploy")),
        table(content.get("healthcheck")),
        _texts(content.get("labels")),
    )
    env, files = _environment(content, file, root)
    ports = [port for port in map(_container_port, items(content.get("ports"))) if port]
    labelled = [port for key, text in labels.items() if _TRAEFIK_PORT.match(key) and (port := as_port(text))]
    replicas = _number(deploy.get("replicas"), content.get("scale"))
    return ComposeService(
        name=name,
        image=without_unknown(word(content.get("image"))).rstrip(":"),
        build=_build(content.get("build")),
        command=_command(content.get("command")),
        entrypoint=_command(content.get("entrypoint")),
        published=tuple(dict.fromkeys([*labelled, *ports])),
        exposed=tuple(port for one in items(content.get("expose")) if (port := _container_port(one))),
        environment=env,
        env_files=files,
        needs=_needs(content),
        check=() if check.get("disable") is True else tuple(_check(check.get("test"))),
        start_period_seconds=_seconds(check.get("start_period")),
        mounts=_mounts(content),
        profiles=tuple(word(one) for one in items(content.get("profiles"))),
        replicas=replicas,
        stop_seconds=_seconds(content.get("stop_grace_period")),
        routes=_labelled_routes(labels),
        working_folder=without_unknown(word(content.get("working_dir"))),
        other_names=_other_names(content),
        special=tuple(_special(content)),
    )


def _build(value: Any) -> ComposeBuild | None:
    if isinstance(value, str):
        return ComposeBuild(without_unknown(value), "", "", {})
    if not isinstance(value, dict):
        return None
    args = {key: text for key, text in _texts(value.get("args")).items() if key}
    texts = [without_unknown(word(value.get(key))) for key in ("context", "dockerfile", "target")]
    return ComposeBuild(texts[0] or ".", texts[1], texts[2], args, "dockerfile_inline" in value)


def _environment(content: dict[str, Any], file: ComposeFile, root: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the variables of a service, those of its files first, and which files were not there to be read."""
    found: dict[str, str] = {}
    missing = []
    for entry in items(content.get("env_file")):
        name = without_unknown(word(entry.get("path") if isinstance(entry, dict) else entry))
        if not name or "\0" in name or below(file.folder / name, root) is None:
            continue
        values, read = env_file(file.folder / name, root)
        found |= values
        if read is None:
            missing.append(name)
    for key, value in as_table(content.get("environment")).items():
        if value is not None:
            found[key] = word(value)
        elif key not in found:
            found[key] = file.variables.get(key) or mark_of(key) if re.fullmatch(r"[A-Za-z_]\w*", key) else ""
    return {key: text for key, text in found.items() if key and "\0" not in key + text}, tuple(missing)


def _command(value: Any) -> list[str] | None:
    """Return a command as a list; Compose splits a text as a shell does, and runs no shell."""
    if value is None:
        return None
    if isinstance(value, list):
        return [word(one) for one in value]
    try:
        return shlex.split(word(value))
    except ValueError:
        return ["sh", "-c", word(value)]


def _check(value: Any) -> list[str]:
    """Return what a health check runs, without the word that says how."""
    if isinstance(value, list):
        words = [word(one) for one in value]
        return words[1:] if words[:1] in (["CMD"], ["CMD-SHELL"]) else [] if words[:1] == ["NONE"] else words
    return [word(value)] if value else []


def _container_port(entry: Any) -> int | None:
    """Return the port as its container knows it: `8080:80/tcp`, `127.0.0.1:8000-8001:80-81`, `80`, `{target: 80}`."""
    if isinstance(entry, dict):
        return None if entry.get("protocol") == "udp" else as_port(word(entry.get("target")))
    number, _, protocol = without_unknown(word(entry)).partition("/")
    return None if protocol == "udp" else as_port(number.rpartition(":")[2].partition("-")[0])


def _needs(content: dict[str, Any]) -> dict[str, str]:
    """Return what a service waits for, each with its condition."""
    found = {word(link).partition(":")[0]: "service_started" for link in items(content.get("links"))}
    described = content.get("depends_on")
    if isinstance(described, dict):
        return found | {name: word(table(one).get("condition") or "service_started") for name, one in described.items()}
    return found | {word(one): "service_started" for one in items(described)}


def _mounts(content: dict[str, Any]) -> tuple[Mount, ...]:
    found = []
    for entry in items(content.get("volumes")):
        if isinstance(entry, dict):
            kind = word(entry.get("type") or "volume")
            found.append(Mount(kind, without_unknown(word(entry.get("source"))), word(entry.get("target"))))
            continue
        source, sign, rest = without_unknown(word(entry)).partition(":")
        if sign and len(source) == 1 and rest.startswith("\\"):
            continue  # a drive of Windows
        target = rest.partition(":")[0] if sign else source
        is_path = source.startswith((".", "/", "~", "$"))
        found.append(Mount("bind" if sign and is_path else "volume", source if sign else "", target))
    return tuple(mount for mount in found if mount.target)


def _labelled_routes(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the path prefixes that Traefik was told to send here."""
    rules = [text for key, text in labels.items() if _TRAEFIK_RULE.match(key)]
    listed = [path.strip("`'\" ") for rule in rules for found in _PREFIX.findall(rule) for path in found.split(",")]
    return tuple(dict.fromkeys(path.rstrip("/") or "/" for path in listed if path.startswith("/")))


def _other_names(content: dict[str, Any]) -> tuple[str, ...]:
    """Return the names under which others find the container, beside that of the service."""
    names = [word(content.get(key)) for key in ("container_name", "hostname")]
    for place in table(content.get("networks")).values():
        names += [word(alias) for alias in items(table(place).get("aliases"))]
    return tuple(dict.fromkeys(name for name in names if name))


def _special(content: dict[str, Any]) -> list[str]:
    wanted = (
        "privileged",
        "devices",
        "cap_add",
        "runtime",
        "secrets",
        "configs",
        "network_mode",
        "pid",
        "ipc",
        "sysctls",
    )
    found = [key for key in wanted if content.get(key) not in (None, False, [], {}, "bridge")]
    gpus = table(table(table(content.get("deploy")).get("resources")).get("reservations")).get("devices")
    return [*found, *(["gpus"] if gpus or content.get("gpus") else [])]


def _seconds(value: Any) -> float | None:
    text = word(value)
    parts = _DURATION.findall(text)
    if parts:
        return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))
    return float(text) if text.isascii() and text.isdigit() else None


def _number(*values: Any) -> int | None:
    return next((int(word(one)[:4]) for one in values if word(one).isascii() and word(one).isdigit()), None)


def _texts(value: Any) -> dict[str, str]:
    return {key: word(one) for key, one in as_table(value).items()}
