"""From the image a Dockerfile asks for to one that the engine has."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import requests
import urllib3
from docker import APIClient, DockerClient
from docker.auth import get_config_header, resolve_repository_name
from docker.errors import APIError, ImageNotFound
from filelock import FileLock

from delivery.containers.base_build import build_base
from delivery.containers.client import connect
from delivery.containers.failures import reported
from delivery.containers.stand_ins import Recipe, registry_of, stand_in_for
from delivery.errors import CommandFailed, Misconfigured, Rejected
from delivery.release import BaseImage

PULL_SILENCE_SECONDS = 8
UNREACHABLE_SECONDS = 600
NEXT_STEP = "name an image you have under `bases:` in headway.yaml, or make a registry that has it reachable"


def resolve_base(
    asked: str,
    *,
    cache: Path,
    host: str | None = None,
    substitutes: Mapping[str, str] = {},
    silence_seconds: float = PULL_SILENCE_SECONDS,
) -> BaseImage:
    """Return an image the engine has for `asked`: mapped, present, pulled, or a stand-in from Debian packages.

    A pull is given up when the registry says nothing for `silence_seconds`. Raises Misconfigured, with what was
    tried, when there is none, and Transient when the engine stops answering.
    """
    if asked in substitutes:
        mapped = resolve_base(substitutes[asked], cache=cache, host=host, silence_seconds=silence_seconds)
        return mapped.model_copy(update={"asked": asked})
    with reported(f"looking for {asked}"):
        return _resolve(asked, cache, host, silence_seconds)


def _resolve(asked: str, cache: Path, host: str | None, silence_seconds: float) -> BaseImage:
    client = connect(host)
    if _present(client, asked):
        return BaseImage(asked=asked, used=asked, substitute=False)
    try:
        recipe, no_recipe = stand_in_for(asked), ""
    except Misconfigured as error:
        recipe, no_recipe = None, f"{error.found}{'; ' * bool(error.allowed)}{error.allowed}"
    silent = cache / "silent-registries" / registry_of(asked).replace(":", "_")
    if recipe and _fresh(silent):
        problem = f"{registry_of(asked)} did not answer a moment ago"
    else:
        problem = _pull(asked, host, silence_seconds, silent)
        if not problem:
            return BaseImage(asked=asked, used=asked, substitute=False)
    if recipe is None:
        raise _nothing(asked, problem, no_recipe)
    try:
        return BaseImage(asked=asked, used=_stand_in(client, recipe, cache, host), substitute=True)
    except (Rejected, Misconfigured) as error:
        reason = error.last_lines if isinstance(error, CommandFailed) else str(error)
        raise _nothing(asked, problem, f"the stand-in could not be built: {_last_line(reason)}") from error


def _present(client: DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    except APIError as error:
        reason = _last_line(str(error.explanation or error))
        raise Misconfigured(f"image {name}", reason, "an image reference") from error
    return True


def _pull(asked: str, host: str | None, silence_seconds: float, silent: Path) -> str:
    """Pull `asked` and return what went wrong, or nothing; a registry may be silent for `silence_seconds`."""
    try:
        for event in _pull_events(connect(host).api, asked, silence_seconds):
            if "error" in event:
                return _last_line(event["error"])
    except (requests.RequestException, urllib3.exceptions.HTTPError):
        silent.parent.mkdir(parents=True, exist_ok=True)
        silent.touch()
        return f"{registry_of(asked)} said nothing for {silence_seconds:g} s"
    return ""


def _pull_events(api: APIClient, asked: str, silence_seconds: float) -> Iterator[dict[str, str]]:
    """Yield what the engine tells of a pull. The SDK's own `pull` waits without a limit."""
    named = asked if ":" in asked.rpartition("/")[2] or "@" in asked else f"{asked}:latest"
    header = get_config_header(api, resolve_repository_name(named)[0])
    response = api.post(
        f"{api.base_url}/v{api.api_version}/images/create",
        params={"fromImage": named},
        headers={"X-Registry-Auth": header} if header else {},
        timeout=silence_seconds,
        stream=True,
    )
    with response:
        if not response.ok:
            yield {"error": response.json()["message"]}
            return
        yield from (json.loads(line) for line in response.iter_lines() if line)


def _stand_in(client: DockerClient, recipe: Recipe, cache: Path, host: str | None) -> str:
    if _present(client, recipe.tag):
        return recipe.tag
    locks = cache / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f"{recipe.tag.replace('/', '-').replace(':', '-')}.lock"):
        if _present(client, recipe.tag):  # somebody else built it in the meantime
            return recipe.tag
        return build_base(recipe, cache, host)


def _fresh(mark: Path) -> bool:
    try:
        return time.time() - mark.stat().st_mtime < UNREACHABLE_SECONDS
    except FileNotFoundError:
        return False


def _nothing(asked: str, pull_problem: str, stand_in_problem: str) -> Misconfigured:
    return Misconfigured(
        f"base image {asked}",
        f"not on the Docker engine; pull: {pull_problem}; stand-in: {stand_in_problem}",
        next_step=NEXT_STEP,
    )


def _last_line(text: str) -> str:
    return ([line.strip() for line in text.splitlines() if line.strip()] or ["no reason given"])[-1]
