"""What instances keep where the next release does not find it: files outside volumes, and volumes without a name."""

import contextlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

import requests
from docker.errors import DockerException
from docker.models.containers import Container

from delivery.docker.engine.paths import FOLDER, LINK, OTHER, moment_seconds, stat_of
from delivery.docker.target.instances import Instance
from delivery.spec.services import Service

# What is written while a container starts, its successor writes as well: settings made of variables, compiled pages.
START_SECONDS = 15.0
LOOKED_AT = 20  # files of one folder: one that counts is enough
INSTANCES = 3  # of each service in each slot
ADDED, DELETED = 1, 2  # in the engine's words
_SYSTEM = ("/dev", "/etc", "/proc", "/run", "/sys", "/tmp", "/var/cache", "/var/lock", "/var/log", "/var/run")  # noqa: S108
# Folders of the Filesystem Hierarchy Standard that belong to no program alone.
_SHARED = {"/home", "/media", "/mnt", "/opt", "/root", "/srv", "/usr", "/usr/local", "/usr/share", "/usr/src"}
_SHARED |= {"/var", "/var/lib", "/var/www"}
_PASSING = re.compile(r"\..*|docker-init|__pycache__|node_modules|lost\+found|(.*[_-])?(caches?|logs?|te?mp|run)")
_SUFFIXES = {".lock", ".log", ".pid", ".pyc", ".pyo", ".sock", ".socket", ".swp", ".tmp"}


def find_losses(instances: Sequence[Instance], services: Mapping[str, Service]) -> tuple[str, ...]:
    """Return, in words that name the key, what the instances wrote that is lost with them.

    `services` are those of the release that stays. What the engine does not tell is left out: it is a warning.
    """
    written: dict[str, Counter[str]] = defaultdict(Counter)
    unnamed: set[tuple[str, str]] = set()
    looked: Counter[tuple[str, str]] = Counter()
    for one in instances:
        looked[one.service, one.colour] += 1
        if one.service not in services or looked[one.service, one.colour] > INSTANCES:
            continue
        with contextlib.suppress(DockerException, requests.RequestException, ValueError):
            unnamed |= {(one.service, folder) for folder in _unnamed_volumes(one.container)}
            written[one.service].update(_written(one.container))
    lines = [
        _words(service, place, count, services[service])
        for service, places in sorted(written.items())
        for place, count in sorted(places.items())
    ]
    lines += [
        f"services.{service}: {folder} is a volume of the image without a name, new and empty in each release: "
        f"services.{service}.volumes keeps it"
        for service, folder in sorted(unnamed)
        if not _is_kept(folder, services[service])
    ]
    return tuple(lines)


def places_written(
    changes: Iterable[Mapping[str, object]], working_folder: str, is_data: Callable[[str], bool]
) -> dict[str, int]:
    """Return folder → number of files of what the engine's `changes` say was written, caches and the like left out.

    The folder, with a `/` at its end, is the one to keep: that of the image into which files were put or, where that
    is the program's own, what is new in it. A file beside the program stands for itself.
    """
    kinds = {str(one["Path"]): one["Kind"] for one in changes if one["Kind"] != DELETED}
    holding = {str(parent) for path in kinds for parent in PurePosixPath(path).parents}
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(set(kinds) - holding):
        if not _is_passing(PurePosixPath(path)):
            places[_place(path, kinds, working_folder)].append(path)
    return {place: len(files) for place, files in places.items() if any(map(is_data, files[:LOOKED_AT]))}


def _written(container: Container) -> dict[str, int]:
    started = moment_seconds(container.attrs["Created"]) + START_SECONDS

    def is_data(path: str) -> bool:
        about = stat_of(container, PurePosixPath(path))
        if about is None or int(about["mode"]) & (FOLDER | LINK | OTHER):
            return False
        return moment_seconds(about["mtime"]) > started

    working_folder = container.attrs["Config"].get("WorkingDir") or "/"
    return places_written(container.diff() or (), working_folder, is_data)


def _place(path: str, kinds: Mapping[str, object], working_folder: str) -> str:
    new, folder = PurePosixPath(path), PurePosixPath(path).parent
    while kinds.get(str(folder)) == ADDED:
        new, folder = folder, folder.parent
    is_shared = PurePosixPath(working_folder).is_relative_to(folder) or str(folder) in _SHARED
    if not is_shared:
        return f"{folder}/"
    return path if str(new) == path else f"{new}/"


def _is_passing(path: PurePosixPath) -> bool:
    is_system = any(path.is_relative_to(folder) for folder in _SYSTEM)
    return is_system or path.suffix in _SUFFIXES or any(_PASSING.fullmatch(part) for part in path.parts)


def _unnamed_volumes(container: Container) -> Iterator[str]:
    for mount in container.attrs.get("Mounts") or ():
        if mount.get("Type") == "volume" and re.fullmatch(r"[0-9a-f]{64}", mount.get("Name") or ""):
            yield mount["Destination"]


def _is_kept(place: str, service: Service) -> bool:
    return any(PurePosixPath(place).is_relative_to(folder) for folder in service.volumes.values())


def _words(service: str, place: str, count: int, file: Service) -> str:
    key = f"services.{service}"
    if not place.endswith("/"):
        own = f"in a folder of its own {key}.volumes keeps it"
        return f"{key} writes {place}, beside the program, which is lost with each release: {own}"
    files = f"{place.rstrip('/')} ({count} file{'s' if count > 1 else ''})"
    if _is_kept(place, file):
        return f"{key} wrote to {files} before {key}.volumes kept it: what is not in the volume is lost"
    lost, it = ("are", "them") if count > 1 else ("is", "it")
    return f"{key} writes to {files}, which {lost} lost with each release: {key}.volumes keeps {it}"
