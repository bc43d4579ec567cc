"""ECR's layers by its API: they go to the registry as those of `docker push` do, and are written down nowhere else.

An upload that is not complete is lost when the local AWS ends, as one of `docker push` is.
"""

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from uuid import uuid4

from moto.core.responses import ActionResult
from moto.ecr.exceptions import UploadNotFoundException
from moto.ecr.models import DEFAULT_LAYER_PART_SIZE, LAYER_MEDIA_TYPE, Repository
from moto.ecr.responses import ECRResponse
from urllib3.response import BaseHTTPResponse

from local_aws.registry.storage import storage
from local_aws.services.ecr_access import repository_of
from local_aws.services.errors import Refusal


@dataclass
class Upload:
    """A layer on its way: where the registry takes the next part, and what came so far."""

    repository: Repository
    location: str
    received: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)


_UPLOADS: dict[str, Upload] = {}


def batch_check_layer_availability(self: ECRResponse) -> ActionResult:
    """Tell which layers the repository has.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchCheckLayerAvailability.html
    """
    repository = repository_of(self, "ecr:BatchCheckLayerAvailability")
    layers, failures = [], []
    for digest in self._get_param("layerDigests"):
        told = storage().ask("HEAD", f"{_blobs(repository)}/{digest}")
        if told.status == 200:
            size = int(told.headers["Content-Length"])
            state = {"layerAvailability": "AVAILABLE", "layerSize": size, "mediaType": LAYER_MEDIA_TYPE}
            layers.append({"layerDigest": digest, **state})
        else:
            is_digest = re.fullmatch(r"sha256:[a-f0-9]{64}", digest)
            code = "MissingLayerDigest" if is_digest else "InvalidLayerDigest"
            reason = f"Layer digest '{digest}' could not be found"
            failures.append({"layerDigest": digest, "failureCode": code, "failureReason": reason})
    return ActionResult({"layers": layers, "failures": failures})


def initiate_layer_upload(self: ECRResponse) -> ActionResult:
    """Begin a layer.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_InitiateLayerUpload.html
    """
    repository = repository_of(self, "ecr:InitiateLayerUpload")
    told = _done(storage().ask("POST", f"{_blobs(repository)}/uploads/"))
    name = str(uuid4())
    _UPLOADS[name] = Upload(repository, _path(told))
    return ActionResult({"uploadId": name, "partSize": DEFAULT_LAYER_PART_SIZE})


def upload_layer_part(self: ECRResponse) -> ActionResult:
    """Take the next part: "InvalidLayerPartException: The layer part size is not valid, or the first byte specified is
    not consecutive to the last byte of a previous layer part upload."

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UploadLayerPart.html
    """
    upload, content = _upload(self, "ecr:UploadLayerPart"), self._get_param("layerPartBlob")
    content = base64.b64decode(content) if isinstance(content, str) else content
    if self._get_param("partFirstByte") != upload.received:
        raise Refusal("InvalidLayerPartException", f"the next byte is {upload.received}")
    told = _done(storage().ask("PATCH", upload.location, body=content, headers=_octets(content)))
    upload.location = _path(told)
    upload.received += len(content)
    upload.digest.update(content)
    return ActionResult({**_about(self, upload), "lastByteReceived": upload.received - 1})


def complete_layer_upload(self: ECRResponse) -> ActionResult:
    """End a layer: "InvalidLayerException: The layer digest calculation performed by Amazon ECR upon receipt of the
    image layer does not match the digest specified."

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CompleteLayerUpload.html
    """
    upload = _upload(self, "ecr:CompleteLayerUpload")
    digest = f"sha256:{upload.digest.hexdigest()}"
    if not upload.received:
        raise Refusal("EmptyUploadException", "the upload contains no layer parts")
    if digest not in self._get_param("layerDigests"):
        raise Refusal("InvalidLayerException", f"the digest of what came is {digest}")
    mark = "&" if "?" in upload.location else "?"
    _done(storage().ask("PUT", f"{upload.location}{mark}digest={digest}"))
    del _UPLOADS[self._get_param("uploadId")]
    return ActionResult({**_about(self, upload), "layerDigest": digest})


def _upload(response: ECRResponse, action: str) -> Upload:
    repository, name = repository_of(response, action), response._get_param("uploadId")
    upload = _UPLOADS.get(name)
    if upload is None or upload.repository is not repository:
        raise UploadNotFoundException(name, repository.name, repository.registry_id)
    return upload


def _about(response: ECRResponse, upload: Upload) -> dict[str, str]:
    repository = upload.repository
    name = response._get_param("uploadId")
    return {"registryId": repository.registry_id, "repositoryName": repository.name, "uploadId": name}


def _blobs(repository: Repository) -> str:
    return f"/v2/{repository.registry_id}/{repository.region_name}/{repository.name}/blobs"


def _done(told: BaseHTTPResponse) -> BaseHTTPResponse:
    said = told.read().decode(errors="replace")
    if told.status >= 300:
        raise Refusal("ServerException", json.dumps(said))
    return told


def _path(told: BaseHTTPResponse) -> str:
    place = urlsplit(told.headers["Location"])
    return f"{place.path}?{place.query}"


def _octets(content: bytes) -> dict[str, str]:
    return {"Content-Type": "application/octet-stream", "Content-Length": str(len(content))}


def add() -> None:
    """Put ours in place of moto's."""
    for one in (batch_check_layer_availability, initiate_layer_upload, upload_layer_part, complete_layer_upload):
        setattr(ECRResponse, one.__name__, one)
