"""What a commit of a fork must not have: secrets, and images that only this platform can have."""

import ipaddress
import re
from collections.abc import Collection, Iterable
from typing import TypeVar

from delivery.spec.app import App
from delivery.spec.hooks import Hooks
from delivery.spec.services import Backing, Service
from delivery.spec.suites import Suite

P = TypeVar("P", Service, Backing)
_ID = re.compile(r"(sha256:)?[0-9a-f]{4,64}")  # of an image on the engine, or the beginning of one
OURS = "headway-"  # what the platform calls images that are in no registry


def without_reach(app: App) -> tuple[App, tuple[str, ...]]:
    """Return the application without what its file names of others, and what is left out of it, in words.

    A suite that needs a secret is not run: what it shows without says nothing. Compose files name images and networks
    of their own, so their suites are not run either.
    """
    left_out = {
        name: f"suite {name}: it needs {_names(suite.secrets)}" for name, suite in app.suites.items() if suite.secrets
    }
    left_out |= {name: f"suite {name}: it brings a Compose file" for name, suite in app.suites.items() if suite.compose}
    suites = {name: _without_build_secrets(suite) for name, suite in app.suites.items() if name not in left_out}
    images = {name: image.model_copy(update={"build_secrets": {}}) for name, image in app.images.items()}
    told = [f"build secret {key} of {where}" for where, image in app.builds().items() for key in image.build_secrets]
    environments = {name: one.model_copy(update={"secrets": {}}) for name, one in app.environments.items()}
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


def _is_of_others(name: str, registries: Collection[str]) -> bool:
    host, _, rest = name.partition("/")
    if rest and (_is_loopback(host) or any(name.startswith(f"{registry}/") for registry in registries)):
        return True
    return name.startswith(OURS) or _ID.fullmatch(name) is not None


def _is_loopback(host: str) -> bool:
    """Whether a host means this machine, where no registry is that is everybody's."""
    name = re.sub(r":\d+$", "", host).strip("[]").lower()
    try:
        found = ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
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
