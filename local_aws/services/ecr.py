"""ECR: repositories whose address is the local AWS's own, images whose digest is that of their manifest, tokens."""

import base64
import time
from datetime import UTC, datetime

from moto.core.responses import ActionResult
from moto.ecr.models import Repository
from moto.ecr.responses import ECRResponse

from local_aws.installation import current
from local_aws.registry import tokens
from local_aws.registry.tokens import Grant
from local_aws.services import ecr_images, ecr_layers, ecr_scans
from local_aws.services.ecr_access import principal_of, registry_uri, repository_of
from local_aws.services.errors import Refusal


def get_authorization_token(self: ECRResponse) -> ActionResult:
    """Hand out what `docker login` takes, user AWS: "The authorization token is valid for 12 hours."

    It is good for every registry that who asked may use, whichever are named.
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
    """
    asks = principal_of(self)
    expires = int(time.time()) + tokens.TOKEN_SECONDS
    word = tokens.written(Grant(asks.account, asks.arns, expires))
    told = [
        {
            "authorizationToken": base64.b64encode(f"{tokens.USER}:{word}".encode()).decode(),
            "expiresAt": datetime.fromtimestamp(expires, UTC),
            "proxyEndpoint": f"http://{registry_uri(account, self.region)}",
        }
        for account in self._get_param("registryIds") or [self.current_account]
    ]
    return ActionResult({"authorizationData": told})


def get_download_url_for_layer(self: ECRResponse) -> ActionResult:
    """Return a link that is good without a login: "Retrieves the pre-signed Amazon S3 download URL corresponding to
    an image layer. You can only get URLs for image layers that are referenced in an image."

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html
    """
    repository = repository_of(self, "ecr:GetDownloadUrlForLayer")
    digest = self._get_param("layerDigest")
    if digest not in {one for image in repository.images for one in ecr_images.blobs_of(image)}:
        message = f"The layer with digest '{digest}' is not referenced in the repository '{repository.name}'"
        raise Refusal("LayerInaccessibleException", message)
    path = f"/v2/{repository.registry_id}/{repository.region_name}/{repository.name}/blobs/{digest}"
    asks = principal_of(self)
    word = tokens.written(Grant(asks.account, asks.arns, int(time.time()) + tokens.LINK_SECONDS, path))
    return ActionResult({"downloadUrl": f"{current().url}{path}?X-Headway-Token={word}", "layerDigest": digest})


def _uri(self: Repository) -> str:
    return f"{registry_uri(self.registry_id, self.region_name)}/{self.name}"


def _keep_none(self: Repository, value: str) -> None:
    """Forget what moto makes up: the port may be another one after a restart."""


def add() -> None:
    """Put ours in place of moto's."""
    Repository.uri = property(_uri, _keep_none)  # type: ignore[assignment]
    for operation in (get_authorization_token, get_download_url_for_layer):
        setattr(ECRResponse, operation.__name__, operation)
    ecr_images.add()
    ecr_layers.add()
    ecr_scans.add()
