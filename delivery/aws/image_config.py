"""What an image in ECR runs by itself, read from its configuration without pulling it."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from delivery.aws.ecr import EcrImages
from delivery.errors import Misconfigured, Transient
from delivery.ports.jobs import ImageDefaults

SECONDS = 30
# Where a task says nothing else: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
PLATFORM = {"os": "linux", "architecture": "amd64"}


def image_defaults(images: EcrImages, image: str) -> ImageDefaults:
    """Return what an image of this registry runs; nothing is known of another registry's, which ECS pulls by itself.

    Raises Misconfigured when it is not there. https://github.com/opencontainers/image-spec/blob/main/config.md
    """
    ref = images.ref_of(image)
    if ref is None:
        return ImageDefaults()
    manifest = images.manifest(ref)
    if "manifests" in manifest:
        matching = [one["digest"] for one in manifest["manifests"] if _is_of(one.get("platform", {}))]
        if not matching:
            raise Misconfigured(
                f"image {image}", "has no variant for linux/amd64", next_step="build it for that as well"
            )
        manifest = images.manifest(ref.model_copy(update={"digest": matching[0]}))
    config = _configuration(images.download_url(ref, manifest["config"]["digest"])).get("config") or {}
    return ImageDefaults(
        command=tuple(config.get("Cmd") or ()),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        env=dict(pair.partition("=")[::2] for pair in config.get("Env") or ()),
    )


def _is_of(platform: Mapping[str, str]) -> bool:
    return all(platform.get(key) == value for key, value in PLATFORM.items())


def _configuration(url: str) -> dict[str, Any]:
    try:
        answer = httpx.get(url, timeout=SECONDS, follow_redirects=True)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise Transient(f"the configuration of an image was not read from ECR: {error}") from error
    return dict(json.loads(answer.content))
