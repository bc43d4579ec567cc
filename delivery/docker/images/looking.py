"""Whether images can be had, without getting them: the engine is asked, then the registry for a description."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

import requests
from docker import DockerClient
from docker.errors import APIError, DockerException, ImageNotFound

from delivery.docker.engine.client import connect
from delivery.docker.images.pulling import last_line
from delivery.docker.images.stand_ins import registry_of, stand_in_for
from delivery.dockerfiles.naming import problems_with, read_for
from delivery.errors import Misconfigured
from delivery.ports.builder import Looked
from delivery.spec.app import App
from delivery.spec.docker_target import DockerTarget
from delivery.spec.named_images import foreign_image_keys
from delivery.spec.stand_ins import StandIns, stricter

LOOK_SECONDS = 8
AT_ONCE = 8
NEXT_STEP = "correct the name, log in where the image is private (docker login), or name one you have under `bases:`"
# What a registry says of an image that it does not have, or has for others; anything else is no answer.
_NOWHERE = (400, 401, 403, 404)


class Named(NamedTuple):
    """An image and where it is named: a key of headway.yaml, or a line in a Dockerfile."""

    where: str
    image: str


def look_for(named: Iterable[Named], *, host: str | None = None, stand_ins: StandIns = "when-missing") -> Looked:
    """Return which of the images can be had nowhere, as far as engine and registries answer; nothing is downloaded.

    An image for which there is a stand-in can be had.
    """
    named = tuple(named)
    places: dict[str, list[str]] = {}
    for one in named:
        places.setdefault(one.image, []).append(one.where)
    try:
        client = connect(host, timeout_seconds=LOOK_SECONDS)
    except Misconfigured:
        return Looked(unknown=("images were not looked for: no Docker engine answers",) if places else ())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = dict(zip(places, pool.map(lambda image: _ask(client, image, stand_ins), places), strict=True))
    return Looked(_lines(places, answers, "nowhere"), _lines(places, answers, "unknown"))


def look_at_builds(app: App, folder: Path) -> tuple[list[tuple[str, str]], list[Named]]:
    """Return what is wrong between headway.yaml and its Dockerfiles, each with a next step, and the images they need.

    What is not there, or only the engine understands, is left out.
    """
    problems: list[tuple[str, str]] = []
    bases: list[Named] = []
    for key, image in app.builds().items():
        try:
            file = read_for(image, folder)
            if file is None:
                continue
            problems += [(line, "") for line in problems_with(key, image, file)]
            names = file.bases(image.target)
        except Misconfigured as error:
            if error.where != "Dockerfile":  # a stage that is not there is told already
                problems.append((f"{key}.dockerfile: {error.where}: {error.found}", error.next_step))
            continue
        bases += [Named(f"{key} (a base in {image.dockerfile})", image.bases.get(name, name)) for name in names]
    return problems, bases


def look_for_images_of(app: App, bases: Sequence[Named]) -> Looked:
    """Look for the images that the file names where they will run, and for `bases` where they will be built."""
    named = [Named(key, image) for key, image in foreign_image_keys(app)]
    hosts = {one.target.host if isinstance(one.target, DockerTarget) else None for one in app.environments.values()}
    wanted: dict[str | None, list[Named]] = {host: list(named) for host in sorted(hosts, key=str)}
    wanted[None] = [*wanted.get(None, []), *bases]
    looked = [look_for(images, host=host, stand_ins=app.stand_ins) for host, images in wanted.items()]
    return Looked(
        tuple(dict.fromkeys(line for one in looked for line in one.nowhere)),
        tuple(dict.fromkeys(line for one in looked for line in one.unknown)),
        NEXT_STEP,
    )


class _Answer(NamedTuple):
    kind: Literal["there", "nowhere", "unknown"]
    words: str = ""


def _lines(places: Mapping[str, list[str]], answers: Mapping[str, _Answer], kind: str) -> tuple[str, ...]:
    chosen = [(image, answer) for image, answer in answers.items() if answer.kind == kind]
    return tuple(f"{', '.join(places[image])}: {image} {answer.words}" for image, answer in chosen)


def _ask(client: DockerClient, image: str, stand_ins: StandIns) -> _Answer:
    if _has_stand_in(image, stand_ins) or _answers(lambda: client.images.get(image)):
        return _Answer("there")
    try:
        client.images.get_registry_data(image)
    except APIError as error:
        reason = last_line(str(error.explanation or error))
        if error.status_code in _NOWHERE:
            return _Answer("nowhere", f"is neither on the Docker engine nor in {registry_of(image)} ({reason})")
        return _Answer(
            "unknown", f"is not on the Docker engine, and {registry_of(image)} could not be asked ({reason})"
        )
    except (requests.RequestException, DockerException) as error:
        reason = last_line(str(error))
        return _Answer(
            "unknown", f"is not on the Docker engine, and {registry_of(image)} could not be asked ({reason})"
        )
    return _Answer("there")


def _answers(look: Callable[[], object]) -> bool:
    try:
        look()
    except (ImageNotFound, APIError):  # a name that is none is told by the registry's answer
        return False
    except requests.RequestException:
        return False
    return True


def _has_stand_in(image: str, stand_ins: StandIns) -> bool:
    if stricter(stand_ins) == "never":
        return False
    try:
        stand_in_for(image)
    except Misconfigured:
        return False
    return True
