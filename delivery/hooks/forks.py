"""What a commit of a fork must not have: secrets, and images that only this platform can have."""

import ipaddress
import re
import socket
from collections.abc import Collection, Iterable
from typing import NamedTuple, TypeVar

from delivery.spec.app import App
from delivery.spec.hooks import Hooks
from delivery.spec.services import Backing, Service
from delivery.spec.suites import Suite

P = TypeVar("P", Service, Backing)
_ID = re.compile(r"(sha256:)?[0-9a-f]{1,64}")  # of an image on the engine, or the beginning of one
OURS = "headway-"  # what the platform calls images that are in no registry
HUB = "docker.io"
_HUBS = (HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")
_HOST = re.compile(r"(?P<name>.*?)(?::0*(?P<port>[0-9]{1,5}))?")
_USUAL = (80, 443)  # ports that a reference leaves out
_HERE = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")


def without_reach(app: App) -> tuple[App, tuple[str, ...]]:
    """Return the application without what its file names of others, and what is left out of it, in words.

    What only a release is asked, hooks and checks, is not in it: no examination runs it. A suite that needs a secret is
    not run: what it shows without says nothing. Compose files name images and networks of their own, so their suites
    are not run either.
    """
    left_out = {
        name: f"suite {name}: it needs {_names(suite.secrets)}" for name, suite in app.suites.items() if suite.secrets
    }
    left_out |= {name: f"suite {name}: it brings a Compose file" for name, suite in app.suites.items() if suite.compose}
    suites = {name: _without_build_secrets(suite) for name, suite in app.suites.items() if name not in left_out}
    images = {name: image.model_copy(update={"build_secrets": {}}) for name, image in app.images.items()}
    told = [f"build secret {key} of {where}" for where, image in app.builds().items() for key in image.build_secrets]
    environments = {
        name: one.model_copy(update={"secrets": {}, "checks": ()}) for name, one in app.environments.items()
    }
    reach = {
        "suites": suites,
        "images": images,
        "environments": environments,
        "services": {name: _unnamed(one) for name, one in app.services.items()},
        "backing": {name: _unnamed(one) for name, one in app.backing.items()},
        "hooks": Hooks(),
        "repository": None,
        "github": None,
    }
    return app.model_copy(update=reach), (*left_out.values(), *told)


def apart(app: App) -> App:
    """Return the application as it is examined: what only a registry could say of its images is not asked."""
    return app.model_copy(update={"scan": app.scan.model_copy(update={"registry": "ignore"})})


def images_of_others(names: Iterable[str], registries: Collection[str]) -> list[str]:
    """Return those names that stand for images of this platform, or of whoever else uses this machine's engine."""
    return [name for name in names if _is_of_others(name, registries)]


class _Place(NamedTuple):
    """Where a reference leads: the host of a registry, its port (0: one of the usual), and the name it has there."""

    host: str
    port: int
    path: str


def _place(reference: str) -> _Place:
    """Return where a reference leads, however it is spelt: https://github.com/distribution/reference, normalize.go."""
    first, slash, rest = reference.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost" or first != first.lower())
    host, path = (first, rest) if is_host else (HUB, reference)
    found = _HOST.fullmatch(host)
    name, port = (found["name"], int(found["port"] or 0)) if found else (host, 0)
    name = name.strip("[]").rstrip(".").lower()
    if name in _HUBS:
        return _Place(HUB, 0, path.lower().removeprefix("library/"))
    return _Place(name, 0 if port in _USUAL else port, path.lower())


def _is_of_others(name: str, registries: Collection[str]) -> bool:
    if _ID.fullmatch(name):
        return True
    place = _place(name)
    if _is_loopback(place.host) or (place.host == HUB and place.path.startswith(OURS)):
        return True
    return any(_is_in(place, _place(f"{registry}/")) for registry in registries if registry)


def _is_in(place: _Place, registry: _Place) -> bool:
    """Whether it is there; of one on this machine whatever the host is called: any name may be given its address."""
    is_there = place.host == registry.host or (registry.port and _is_loopback(registry.host))
    return bool(is_there) and place.port == registry.port and place.path.startswith(registry.path)


def _is_loopback(host: str) -> bool:
    """Whether a host means this machine, where no registry is that is everybody's."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host in _HERE or host.endswith(".localhost") or _is_loopback_in_short(host)
    found = getattr(found, "ipv4_mapped", None) or found
    return found.is_loopback or found.is_unspecified


def _is_loopback_in_short(host: str) -> bool:
    """Whether it is an address as inet(3) reads it: `127.1`, `2130706433`, `0x7f.1`."""
    try:
        found = ipaddress.ip_address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return False
    return found.is_loopback or found.is_unspecified


def _without_build_secrets(suite: Suite) -> Suite:
    if suite.build is None:
        return suite
    return suite.model_copy(update={"build": suite.build.model_copy(update={"build_secrets": {}})})


def _unnamed(part: P) -> P:
    """Return a part with the variables of its secrets alone: their values are made for each cell."""
    return part.model_copy(update={"secrets": dict.fromkeys(part.secrets)})


def _names(secrets: Collection[str]) -> str:
    return ", ".join(sorted(secrets))
