"""Images for what runs in the local AWS: from its own registry, from the engine, or wherever they can be had."""

import base64

from botocore.exceptions import BotoCoreError, ClientError
from docker.errors import DockerException, ImageNotFound
from docker.models.images import Image

from delivery.docker.engine.client import connect
from delivery.docker.images.bases import resolve_base
from delivery.errors import HeadwayError
from local_aws.installation import current
from local_aws.own_client import own_client

CANNOT_PULL = "CannotPullContainerError"


class CannotPull(Exception):
    """An image that cannot be had; the text is AWS's with the reason in it."""


def image_for(reference: str, account: str, region: str) -> Image:
    """Return the engine's image for a reference; CannotPull when it has none and none can be got."""
    try:
        if reference.startswith(f"{current().address}/"):
            return _from_own_registry(reference, account, region)
        return connect().images.get(resolve_base(reference, home=current().home).used)
    except HeadwayError as error:
        reason = str(error).partition("\n")[0]
    except (DockerException, ClientError, BotoCoreError) as error:
        reason = str(error)
    raise CannotPull(f"{CANNOT_PULL}: pull image manifest has been retried 1 time(s): {reason}")


def digest_of(image: Image, reference: str) -> str:
    """Return the digest by which the image is known where it comes from, else the engine's own."""
    repository = reference.partition("@")[0]
    if ":" in repository.rpartition("/")[2]:
        repository = repository.rpartition(":")[0]
    known = [one.rpartition("@")[2] for one in image.attrs.get("RepoDigests") or [] if one.startswith(f"{repository}@")]
    return reference.rpartition("@")[2] if "@" in reference else known[0] if known else str(image.id)


def _from_own_registry(reference: str, account: str, region: str) -> Image:
    """Return an image of ECR: one named by digest is the same wherever it is, a tag is asked for again."""
    client = connect()
    if "@" in reference:
        try:
            return client.images.get(reference)
        except ImageNotFound:
            pass
    token = own_client("ecr", account, region).get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    repository, _, tag = reference.partition("@")
    if not tag and ":" in reference.rpartition("/")[2]:
        repository, _, tag = reference.rpartition(":")
    found = client.images.pull(repository, tag or "latest", auth_config={"username": user, "password": password})
    return found if isinstance(found, Image) else found[0]
