"""The secrets that the server keeps, and who uses them."""

from collections.abc import Iterable

from blocks.secret_block import load_secret, remove_secret, save_secret, secret_names
from delivery.model import Model
from delivery.spec.app import App
from delivery.spec.aws_secret import aws_secret_name
from delivery.spec.secret_blocks import named_secrets

__all__ = ["load_secret", "missing_secrets", "overview", "remove_secret", "save_secret"]


class SecretView(Model):
    """One secret: whether the server has it, and which keys of which applications name it."""

    name: str
    is_there: bool
    used_by: tuple[str, ...] = ()


def missing_secrets(app: App) -> dict[str, str]:
    """Return key of headway.yaml → name, for every secret that it names and the server does not have."""
    named = {key: name for key, name in named_secrets(app).items() if aws_secret_name(name) is None}
    known = set(secret_names()) if named else set()
    return {key: name for key, name in named.items() if name not in known}


def overview(apps: Iterable[App]) -> list[SecretView]:
    """Return every secret that the server has or that one of `apps` names, in order of name."""
    there, users = secret_names(), dict[str, list[str]]()
    for app in apps:
        for key, name in named_secrets(app).items():
            if aws_secret_name(name):  # the server does not keep it
                continue
            users.setdefault(name, []).append(f"{app.app}: {key}")
    return [
        SecretView(name=name, is_there=name in there, used_by=tuple(users.get(name, ())))
        for name in sorted({*there, *users})
    ]
