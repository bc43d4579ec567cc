"""Secrets of build steps, as files that BuildKit mounts for one step and keeps in no layer and no cache."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from delivery.errors import Misconfigured
from delivery.programs.buildkit import Builder


def write_secrets(secrets: Mapping[str, SecretStr], folder: Path, builder: Builder, key: str) -> dict[str, Path]:
    """Write each secret into a file in `folder` that only this user reads, and return id → file.

    Raises Misconfigured for a builder that mounts none.
    """
    if secrets and builder.kind == "classic":
        raise Misconfigured(
            f"headway.yaml: {key}.build_secrets",
            "the engine's old builder gives no secrets to build steps",
            "a machine with BuildKit",
            "install docker buildx or Docker Compose",
        )
    files = {}
    for number, (name, value) in enumerate(secrets.items()):
        files[name] = folder / f"secret-{number}"
        files[name].touch(0o600)
        files[name].write_text(value.get_secret_value(), encoding="utf-8")
    return files
