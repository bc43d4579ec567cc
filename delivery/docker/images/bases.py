"""From the image that is asked for to one that the engine has."""

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache as once
from functools import partial
from pathlib import Path
from typing import NamedTuple

from docker import DockerClient
from docker.errors import APIError, ImageNotFound
from filelock import FileLock

from delivery.docker.engine.client import connect
from delivery.docker.engine.failures import reported
from delivery.docker.images.base_build import build_base, check_machine, tag_of
from delivery.docker.images.carrying import carry, carry_name
from delivery.docker.images.pulling import PULL_SILENCE_SECONDS, last_line, pull
from delivery.docker.images.registry_state import login_of, registry_error
from delivery.docker.images.stand_ins import Recipe, split_reference, stand_in_for
from delivery.errors import CommandFailed, Misconfigured, Rejected
from delivery.home import Home
from delivery.releases.release import BaseImage
from delivery.spec.stand_ins import StandIns, stricter, who_forbids

NEXT_STEP = "name an image you have under `bases:` in headway.yaml, or make a registry that has it reachable"
FORBIDDEN = "load the image into the engine (docker load), make a registry that has it reachable, or allow stand-ins"
FOUND_AT_ONCE = 8

_log = logging.getLogger("headway.builder")


class _Found(NamedTuple):
    """An image for what was asked for, and, when it is a stand-in, how it is made."""

    base: BaseImage
    recipe: Recipe | None = None
    why: str = ""


def resolve_base(
    asked: str,
    *,
    home: Home,
    host: str | None = None,
    substitutes: Mapping[str, str] = {},
    stand_ins: StandIns = "when-missing",
    on_platform: str = "",
    silence_seconds: float = PULL_SILENCE_SECONDS,
) -> BaseImage:
    """Return an image the engine has for `asked`: mapped, present, pulled, or a stand-in from Debian packages.

    A stand-in is built, and warned of, when the engine does not have it. A pull is given up when the registry says
    nothing for `silence_seconds`. Raises Misconfigured, with what was tried, when there is none, and Transient when
    the engine stops answering.
    """
    with reported(f"looking for {asked}"):
        found = _find(substitutes.get(asked, asked), home, host, stand_ins, on_platform, silence_seconds)
        if found.recipe:
            try:
                _stand_in(connect(host), found.recipe, home.cache, host)
            except (Rejected, Misconfigured) as error:
                raise _not_built(asked, found.why, error) from error
        base = found.base.model_copy(update={"asked": asked})
        if base.substitute:
            _warn(base.describe())
        return base


def find_base(
    asked: str,
    *,
    home: Home,
    host: str | None = None,
    substitutes: Mapping[str, str] = {},
    stand_ins: StandIns = "when-missing",
    on_platform: str = "",
    silence_seconds: float = PULL_SILENCE_SECONDS,
) -> BaseImage:
    """Return what `resolve_base` would, pulled if need be, but without building a stand-in; raises as it does."""
    with reported(f"looking for {asked}"):
        found = _find(substitutes.get(asked, asked), home, host, stand_ins, on_platform, silence_seconds)
    return found.base.model_copy(update={"asked": asked})


def find_bases(
    asked: Iterable[str],
    *,
    home: Home,
    host: str | None = None,
    substitutes: Mapping[str, str] = {},
    stand_ins: StandIns = "when-missing",
) -> tuple[tuple[BaseImage, ...], tuple[Misconfigured, ...]]:
    """Return what `find_base` finds for each of the images, and why each of the others cannot be had."""
    look = partial(find_base, home=home, host=host, substitutes=substitutes, stand_ins=stand_ins)
    return look_for_all(asked, look)


def look_for_all(
    asked: Iterable[str], look: Callable[[str], BaseImage]
) -> tuple[tuple[BaseImage, ...], tuple[Misconfigured, ...]]:
    """Return what `look` finds for each of the images, side by side, and why each of the others cannot be had."""

    def attempt(name: str) -> BaseImage | Misconfigured:
        try:
            return look(name)
        except Misconfigured as error:
            return error

    with ThreadPoolExecutor(max_workers=FOUND_AT_ONCE) as pool:
        # With this thread's context, which says in which run something is warned of.
        finding = [pool.submit(copy_context().run, attempt, name) for name in dict.fromkeys(asked)]
        found = [one.result() for one in finding]
    bases = tuple(one for one in found if isinstance(one, BaseImage))
    return bases, tuple(one for one in found if isinstance(one, Misconfigured))


def _find(
    asked: str, home: Home, host: str | None, stand_ins: StandIns, on_platform: str, silence_seconds: float
) -> _Found:
    if host and login_of(asked, home):  # another machine does not reach this platform's registry
        _find(asked, home, None, stand_ins, on_platform, silence_seconds)
        return _Found(BaseImage(asked=asked, used=carry(asked, home, host), substitute=False))
    policy = stricter(stand_ins)
    recipe, no_recipe = _recipe(asked, on_platform) if policy != "never" else (None, who_forbids(stand_ins))
    present = _is_present(connect(host), asked, on_platform)
    if recipe and policy == "always":
        return _stand_in_of(asked, recipe, home.cache, host, "not tried, for stand-ins are asked for")
    if present:
        return _Found(BaseImage(asked=asked, used=asked, substitute=False))
    problem = pull(
        asked,
        home,
        host,
        silence_seconds=silence_seconds,
        on_platform=on_platform,
        ask_again=recipe is None,
    )
    if not problem:
        return _Found(BaseImage(asked=asked, used=asked, substitute=False))
    if trouble := registry_error(asked, problem, home):
        raise trouble
    if recipe is None:
        raise _nothing(asked, problem, no_recipe, FORBIDDEN if policy == "never" else NEXT_STEP)
    return _stand_in_of(asked, recipe, home.cache, host, problem)


def _recipe(asked: str, on_platform: str) -> tuple[Recipe | None, str]:
    """Return how a stand-in is made, or why there is none."""
    try:
        return stand_in_for(asked, on_platform), ""
    except Misconfigured as error:
        return None, f"{error.found}{'; ' * bool(error.allowed)}{error.allowed}"


def _stand_in_of(asked: str, recipe: Recipe, cache: Path, host: str | None, why: str) -> _Found:
    """Return the stand-in, which may still have to be built; Misconfigured when this machine cannot build any."""
    try:
        name = tag_of(recipe, cache)
        if not _is_present(connect(host), name):
            check_machine(host)
    except (Rejected, Misconfigured) as error:
        raise _not_built(asked, why, error) from error
    tagged = split_reference(asked)[1]
    version, lacks = recipe.version_for(tagged), recipe.lacks_of(tagged)
    return _Found(BaseImage(asked=asked, used=name, substitute=True, version=version, lacks=lacks), recipe, why)


def _is_present(client: DockerClient, name: str, on_platform: str = "") -> bool:
    try:
        image = client.images.get(name)
    except ImageNotFound:
        return False
    except APIError as error:
        reason = last_line(str(error.explanation or error))
        raise Misconfigured(f"image {name}", reason, "an image reference") from error
    return not on_platform or on_platform.split("/")[1:2] == [image.attrs["Architecture"]]


def _stand_in(client: DockerClient, recipe: Recipe, cache: Path, host: str | None) -> str:
    """Return the recipe's image, built when the engine does not have it, and before it the one it starts from."""
    tag = tag_of(recipe, cache)
    if _is_present(client, tag):
        return tag
    if host and _is_present(connect(), tag):
        carry_name(tag, cache, host)
        return tag
    below = _stand_in(client, recipe.below, cache, host) if recipe.below else ""
    locks = cache / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f"{tag.replace('/', '-').replace(':', '-')}.lock"):
        if _is_present(client, tag):  # somebody else built it in the meantime
            return tag
        return build_base(recipe, tag, cache, host, below=below)


@once
def _warn(text: str) -> None:
    """Warn of a stand-in, once in a process: every cell of a matrix asks for its images."""
    _log.warning(text)


def _nothing(asked: str, pull_problem: str, stand_in_problem: str, next_step: str = NEXT_STEP) -> Misconfigured:
    found = f"not on the Docker engine; pull: {pull_problem}; stand-in: {stand_in_problem}"
    return Misconfigured(f"base image {asked}", found, next_step=next_step)


def _not_built(asked: str, pull_problem: str, error: Rejected | Misconfigured) -> Misconfigured:
    """Return what is said when a stand-in could not be built; what its builder says to do next comes first."""
    reason = last_line(error.last_lines) if isinstance(error, CommandFailed) else str(error).partition("\n  next: ")[0]
    advice = error.next_step if isinstance(error, Misconfigured) else ""
    return _nothing(asked, pull_problem, f"it could not be built: {reason}", advice or NEXT_STEP)
