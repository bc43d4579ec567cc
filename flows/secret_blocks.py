"""Secrets as seen from outside: set, listed with who uses them, removed."""

from pydantic import SecretStr

from delivery.spec.app import App
from tasks import secret_blocks
from tasks.known import current_environments
from tasks.secret_blocks import SecretView, missing_secrets

__all__ = ["SecretView", "missing_secrets", "overview", "remove", "store"]


def overview(here: App | None) -> list[SecretView]:
    """Return every secret with who uses it: the applications of this platform, and that of the folder as it is now."""
    apps = {one.app.app: one.app for one in current_environments()}
    if here:
        apps[here.app] = here
    return secret_blocks.overview(apps.values())


def store(name: str, value: SecretStr) -> bool:
    """Keep the value under that name; return whether there was another one before."""
    replaced = secret_blocks.load_secret(name) is not None
    secret_blocks.save_secret(name, value)
    return replaced


def remove(name: str) -> bool:
    """Make sure there is no such secret; return whether there was."""
    return secret_blocks.remove_secret(name)
