"""Pulling an image from its registry, which may be silent or out of reach."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import requests
import urllib3
from docker import APIClient
from docker.auth import encode_header, get_config_header, resolve_repository_name

from delivery.docker.engine.client import connect
from delivery.docker.engine.disk import refused
from delivery.docker.images.registry_state import login_of
from delivery.docker.images.stand_ins import registry_of
from delivery.home import Home
from delivery.programs.buildkit import says_disk_full

PULL_SILENCE_SECONDS = 8
UNREACHABLE_SECONDS = 600


def pull(
    asked: str, home: Home, host: str | None, *, silence_seconds: float, on_platform: str = "", ask_again: bool = True
) -> str:
    """Pull `asked` and return what went wrong, or nothing; a registry may be silent for `silence_seconds`.

    Without `ask_again` a registry that did not answer a moment ago is left alone. Raises Rejected when the engine's
    disk is full.
    """
    silent = home.cache / "silent-registries" / registry_of(asked).replace(":", "_")
    if not ask_again and _is_fresh(silent):
        return f"{registry_of(asked)} did not answer a moment ago"
    try:
        for event in _pull_events(connect(host).api, asked, home, silence_seconds, on_platform):
            if "error" in event:
                if says_disk_full(event["error"]):
                    raise refused(f"pulling {asked}", last_line(event["error"]))
                return last_line(event["error"])
    except (requests.RequestException, urllib3.exceptions.HTTPError):
        silent.parent.mkdir(parents=True, exist_ok=True)
        silent.touch()
        return f"{registry_of(asked)} said nothing for {silence_seconds:g} s"
    return ""


def last_line(text: str) -> str:
    """Return the last line that says something."""
    return ([line.strip() for line in text.splitlines() if line.strip()] or ["no reason given"])[-1]


def _pull_events(
    api: APIClient, asked: str, home: Home, silence_seconds: float, on_platform: str
) -> Iterator[dict[str, str]]:
    """Yield what the engine tells of a pull. The SDK's own `pull` waits without a limit."""
    named = asked if ":" in asked.rpartition("/")[2] or "@" in asked else f"{asked}:latest"
    login = login_of(asked, home)
    header = encode_header(login) if login else get_config_header(api, resolve_repository_name(named)[0])
    response = api.post(
        f"{api.base_url}/v{api.api_version}/images/create",
        params={"fromImage": named, **({"platform": on_platform} if on_platform else {})},
        headers={"X-Registry-Auth": header} if header else {},
        timeout=silence_seconds,
        stream=True,
    )
    with response:
        if not response.ok:
            yield {"error": response.json()["message"]}
            return
        yield from (json.loads(line) for line in response.iter_lines() if line)


def _is_fresh(mark: Path) -> bool:
    try:
        return time.time() - mark.stat().st_mtime < UNREACHABLE_SECONDS
    except FileNotFoundError:
        return False
