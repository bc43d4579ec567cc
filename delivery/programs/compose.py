"""Command lines of Docker Compose, and a user's Compose file as a document of its own for each cell; all of it pure."""

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from delivery.changes.ledger import LABEL_ROLE
from delivery.model import Model
from delivery.programs.buildkit import ENVIRONMENT as ENVIRONMENT
from delivery.spec.images import Image

Document = dict[str, Any]
OLDEST = (2, 20)
SHM_SIZE = "512m"

_VERSION = re.compile(r"Compose version v?((\d+)\.(\d+)\.\d+)")
_LABELS = "headway."
# What would be the same in every cell, or reach out of it.
_FIXED = ("container_name", "external_links", "mac_address", "ports", "profiles", "pull_policy")
_FIXED_ADDRESS = ("ipv4_address", "ipv6_address", "link_local_ips", "mac_address")
_FIXED_NETWORK = ("external", "ipam", "enable_ipv6")
_ESCAPED = re.compile(r"[\x7f-\uffff]")
_BRIDGE_NAME = "com.docker.network.bridge.name"


class Compose(Model):
    """The program: `docker compose`, or a binary of its own."""

    program: tuple[str, ...]
    version: str


def compose_version(output: str) -> str | None:
    """Return the version `version` tells, or none when it is no Compose that can read what is written here."""
    match = _VERSION.search(output)
    return match[1] if match and (int(match[2]), int(match[3])) >= OLDEST else None


def config_argv(compose: Compose, file: Path) -> list[str]:
    """Print the user's file with everything in it resolved, also what stands under profiles."""
    return [*compose.program, "--file", str(file), "--profile", "*", "config", "--format", "json"]


def build_argv(compose: Compose, project: str, folder: Path, services: Sequence[str]) -> list[str]:
    """Build the images of `services`; the document comes on standard input, as in the two that follow."""
    return [*_project(compose, project, folder, "plain"), "build", *services]


def create_argv(compose: Compose, project: str, folder: Path) -> list[str]:
    """Create networks, volumes and containers; nothing runs yet, and nothing is pulled."""
    return [*_project(compose, project, folder, "quiet"), "create", "--no-build", "--pull", "never"]


def start_argv(compose: Compose, project: str, folder: Path) -> list[str]:
    """Start the containers, each once what it depends on is as far as it asks for."""
    return [*_project(compose, project, folder, "quiet"), "start"]


def _project(compose: Compose, project: str, folder: Path, progress: str) -> list[str]:
    return [
        *(*compose.program, "--file", "-", "--project-directory", str(folder)),
        *("--project-name", project, "--progress", progress),
    ]


def read_document(output: str) -> Document:
    """Return what `config` printed; there every $ stands twice."""
    document: Document = json.loads(output.replace("$$", "$"))
    return document


def write_document(document: Document) -> str:
    """Return the document as Compose reads it: as YAML, which knows no pairs of surrogates, JSON's way to write emoji.

    Beyond U+FFFF letters stand for themselves (https://yaml.org/spec/1.2.2/#57-escaped-characters); all others that
    are not ASCII are escaped, because YAML takes some of them, and no control character, as they are.
    """
    text = json.dumps(document, ensure_ascii=False).replace("$", "$$")
    return _ESCAPED.sub(lambda letter: f"\\u{ord(letter[0]):04x}", text)


def select_services(document: Document, suite: str) -> Document:
    """Return the document with the services that run: `suite`, what shares a profile with it or has none.

    What those depend on runs as well; what waits for the suite does not.
    """
    services: Document = document["services"]
    active = set(services[suite].get("profiles") or ())
    wanted = {name for name, one in services.items() if not one.get("profiles") or active & set(one["profiles"])}
    needed = {name for one in wanted - _waiting_for(services, suite) for name in _with_needs(services, one)}
    return {**document, "services": {name: one for name, one in services.items() if name in needed}}


def delivered_images(
    document: Document, images: Mapping[str, Image], refs: Mapping[str, str], source: Path
) -> dict[str, str]:
    """Return service → digest for every service that is called like an image or built as one."""
    found: dict[str, str] = {}
    for service, content in document["services"].items():
        name = service if service in images else _built_as(content.get("build"), images, source)
        if name and name in refs:
            found[service] = refs[name]
    return found


def choose_images(document: Document, delivered: Mapping[str, str], tag: str) -> Document:
    """Return the document with delivered images in place, and `tag`-SERVICE as the name of what is still built.

    A service that names the image another one builds gets the same.
    """
    services: Document = document["services"]
    built = to_build(document)
    chosen = {**{name: f"{tag}-{name}" for name in built}, **delivered}
    shared = {services[name]["image"]: chosen[name] for name in built if services[name].get("image")}

    def changed(name: str, service: Document) -> Document:
        asked = service.get("image")
        kept = _without(service, ("build",))
        if name in built and name not in delivered:
            kept["build"] = _without(service["build"], ("tags",))
        return {**kept, "image": chosen.get(name) or shared.get(asked, asked)}

    return {**document, "services": {name: changed(name, one) for name, one in services.items()}}


def to_build(document: Document) -> list[str]:
    """Return the services that have something to build."""
    return [name for name, service in document["services"].items() if service.get("build")]


def with_built_images(document: Document, used: Mapping[str, str]) -> Document:
    """Return the document with nothing left to build or pull; `used` maps images to what the engine has."""
    services = {
        name: _without({**one, "image": used.get(one["image"], one["image"])}, ("build",))
        for name, one in document["services"].items()
    }
    return {**document, "services": services}


def isolate(document: Document, project: str, labels: Mapping[str, str], logs: Mapping[str, str]) -> Document:
    """Return the document in which nothing has a fixed name, port or address and everything carries `labels`.

    What the services print is kept by the engine with the options `logs`.
    """

    def owned(key: str, content: Document | None, role: str) -> Document:
        kept = _without(content or {}, _FIXED_NETWORK if role == "network" else ("external",))
        if kept.get("driver_opts"):
            kept["driver_opts"] = _without(kept["driver_opts"], (_BRIDGE_NAME,))
        return {**kept, "name": f"{project}_{key}", "labels": _labelled(kept, labels, role)}

    networks = {key: owned(key, one, "network") for key, one in (document.get("networks") or {}).items()}
    volumes = {key: owned(key, one, "volume") for key, one in (document.get("volumes") or {}).items()}
    kept = {"driver": "json-file", "options": dict(logs)}
    services = {name: {**_apart(name, one, labels), "logging": kept} for name, one in document["services"].items()}
    return {**document, "name": project, "services": services, "networks": networks, "volumes": volumes}


def with_suite(
    document: Document,
    suite: str,
    command: Sequence[str] | None,
    env: Mapping[str, str],
    entrypoint: Sequence[str] | None = None,
) -> Document:
    """Return the document whose service `suite` runs once, in one container, with `command` and `env` as well."""
    service = _without(document["services"][suite], ("restart", "scale"))
    if service.get("deploy"):
        service["deploy"] = _without(service["deploy"], ("replicas", "restart_policy"))
    given = {"command": list(command)} if command is not None else {}
    given |= {"entrypoint": list(entrypoint)} if entrypoint is not None else {}
    environment = {**(service.get("environment") or {}), **env}
    changed = {"init": True, "shm_size": SHM_SIZE, **service, **given, "environment": environment}
    return {**document, "services": {**document["services"], suite: changed}}


def own_command(service: Document) -> list[str] | None:
    """Return the command a service has without its image's: Docker drops that one for an entry point."""
    if service.get("command") is not None:
        return list(service["command"])
    return [] if service.get("entrypoint") is not None else None


def bound_from(document: Document, source: Path, *, written: bool = False) -> list[str]:
    """Return the services that mount something of `source`; with `written` only those that may change it."""
    files = {
        (kind, name): (one or {}).get("file", "")
        for kind in ("configs", "secrets")
        for name, one in (document.get(kind) or {}).items()
    }

    def is_bound(service: Document) -> bool:
        binds = [one for one in service.get("volumes") or () if one.get("type") == "bind"]
        paths = [one["source"] for one in binds if not (written and one.get("read_only"))]
        if not written:  # the files of configurations and secrets are mounted to be read
            paths += [files[kind, one["source"]] for kind in ("configs", "secrets") for one in service.get(kind) or ()]
        return any(_is_below(path, source) for path in paths)

    return [name for name, service in document["services"].items() if is_bound(service)]


def move_binds(document: Document, source: Path, copy: Path) -> Document:
    """Return the document that mounts from `copy` what it mounted from `source`."""

    def moved(mount: Document) -> Document:
        if mount.get("type") != "bind" or not _is_below(mount["source"], source):
            return mount
        return {**mount, "source": os.path.normpath(copy / os.path.relpath(mount["source"], source))}

    services = {
        name: {**one, "volumes": [moved(mount) for mount in one.get("volumes") or ()]}
        for name, one in document["services"].items()
    }
    return {**document, "services": services}


def reaching_out(document: Document) -> Iterator[str]:
    """Yield what cannot be kept apart from other cells: a network that is the machine's or another container's."""
    for name, service in document["services"].items():
        mode = service.get("network_mode") or ""
        if mode == "host" or mode.startswith("container:"):
            yield f"service {name} has network_mode {mode}"


def _apart(name: str, service: Document, labels: Mapping[str, str]) -> Document:
    kept = _without(service, _FIXED)
    places = service.get("networks") or {}
    if places:
        kept["networks"] = {key: _without(place or {}, _FIXED_ADDRESS) for key, place in places.items()}
    return {**kept, "labels": _labelled(service, labels, name)}


def _labelled(content: Document, labels: Mapping[str, str], role: str) -> dict[str, str]:
    own = {key: text for key, text in (content.get("labels") or {}).items() if not key.startswith(_LABELS)}
    return {**own, **labels, LABEL_ROLE: role}


def _built_as(build: Document | None, images: Mapping[str, Image], source: Path) -> str | None:
    """Return the image that is built from the same context, file and stage; its last stage may have a name."""
    if not build or build.get("dockerfile_inline"):
        return None
    place = (os.path.normpath(build["context"]), build.get("dockerfile", "Dockerfile"))
    same = {
        name: image.target
        for name, image in images.items()
        if (os.path.normpath(source / image.context), image.dockerfile) == place
    }
    exact = [name for name, target in same.items() if target == build.get("target")]
    candidates = exact or (list(same) if not build.get("target") else [])
    return candidates[0] if len(candidates) == 1 else None


def _with_needs(services: Document, name: str) -> set[str]:
    found, ahead = set[str](), [name]
    while ahead:
        one = ahead.pop()
        if one in services and one not in found:
            found.add(one)
            ahead += services[one].get("depends_on") or ()
    return found


def _waiting_for(services: Document, suite: str) -> set[str]:
    return {name for name in services if name != suite and suite in _with_needs(services, name)}


def _is_below(path: str, folder: Path) -> bool:
    return bool(path) and Path(os.path.normpath(path)).is_relative_to(folder)


def _without(content: Document, keys: Collection[str]) -> Document:
    return {key: value for key, value in content.items() if key not in keys}
