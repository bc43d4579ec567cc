"""The platform's own registry, used by tests as whoever has its key."""

import httpx

from delivery.docker.images.registry_state import registry_key
from delivery.home import Home


def key_of(home: Home) -> httpx.BasicAuth:
    """Return what a request to the registry of `home` needs."""
    user, _, password = registry_key(home).get_secret_value().partition(":")
    return httpx.BasicAuth(user, password)
