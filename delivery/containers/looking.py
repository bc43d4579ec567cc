"""Whether images can be had, without getting them: the engine is asked, then the registry for a description."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple

import requests
from docker import DockerClient
from docker.errors import APIError, DockerException, ImageNotFound

from delivery.containers.client import connect
from delivery.containers.pulling import last_line
from delivery.containers.stand_ins import registry_of, stand_in_for
from delivery.errors import Misconfigured
from delivery.stand_ins import StandIns, stricter

LOOK_SECONDS = 8
AT_ONCE = 8
NEXT_STEP = "correct the name, log in where the image is private (docker login), or name one you have under `bases:`"
# What a registry says of an image that it does not have, or has for others; anything else is no answer.
_NOWHERE = (400, 401, 403, 404)


class Named(NamedTuple):
    """An image and where it is named: a key of headway.yaml, or a line in a Dockerfile."""

    where: str
    image: str


class Looked(NamedTuple):
    """What came of looking: a line for each image that exists nowhere, and for each that could not be looked for."""

    nowhere: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


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
