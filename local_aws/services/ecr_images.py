"""ECR's images: made of a manifest, named by its digest, found by digest and tag."""

import hashlib
import json
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.exceptions import ImageAlreadyExistsException, ImageNotFoundException, InvalidParameterException
from moto.ecr.models import Image, Repository
from moto.ecr.responses import ECRResponse

from local_aws.journal import is_replaying
from local_aws.registry.protocol import find_image
from local_aws.registry.storage import storage
from local_aws.services.ecr_access import repository_of
from local_aws.services.errors import Refusal

LISTS = ("application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json")
WITH_EXCLUSION = "_WITH_EXCLUSION"


def put_image(self: ECRResponse) -> ActionResult:
    """Make an image of a manifest, or give one another tag; its digest is that of the manifest's bytes.

    "ImageTagAlreadyExistsException: The specified image is tagged with a tag that already exists. The repository is
    configured for tag immutability." "ImageAlreadyExistsException: The specified image has already been pushed, and
    there were no changes to the manifest or image tag after the last push." A tag that may move leaves the image it
    was on untagged. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
    """
    repository, manifest = repository_of(self, "ecr:PutImage"), self._get_param("imageManifest")
    tag, wanted = self._get_param("imageTag"), self._get_param("imageDigest")
    media_type = _media_type(manifest, self._get_param("imageManifestMediaType"))
    digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
    if wanted and wanted != digest:
        message = f"The provided digest '{wanted}' does not match the calculated digest '{digest}'"
        raise Refusal("ImageDigestDoesNotMatchException", message)
    image, tagged = find_image(repository, digest), find_image(repository, tag) if tag else None
    # Also of the same image: https://github.com/aws/containers-roadmap/issues/2179.
    if tagged is not None and not is_mutable(repository, tag):
        raise Refusal(
            "ImageTagAlreadyExistsException",
            f"The image tag '{tag}' already exists in the '{repository.name}' repository and cannot be overwritten "
            "because the tag is immutable.",
        )
    if image is not None and (not tag or tagged is image):
        raise ImageAlreadyExistsException(repository.name, repository.registry_id, digest, tag or "null")
    if image is None:
        if not is_replaying():
            _keep(repository, manifest, digest, media_type)
        image = _made(repository, manifest, digest, media_type)
    if tagged is not None:
        tagged.remove_tag(tag)
    image.update_tag(tag)
    return ActionResult({"image": _image(repository, image, {"imageTag": tag} if tag else {})})


def batch_get_image(self: ECRResponse) -> ActionResult:
    """Return images with their manifests: "Images are specified with either an imageTag or imageDigest."

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
    """
    repository = repository_of(self, "ecr:BatchGetImage")
    images, failures = [], []
    for asked in self._get_param("imageIds"):
        if image := _find(repository, asked):
            images.append(_image(repository, image, asked))
        else:
            failures.append(_failure(asked))
    return ActionResult({"images": images, "failures": failures})


def describe_images(self: ECRResponse) -> ActionResult:
    """Return what is known of images; ImageNotFoundException for one that is asked for and is not there.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
    """
    repository = repository_of(self, "ecr:DescribeImages")
    asked = self._get_param("imageIds")
    images = [find_asked(repository, one) for one in asked] if asked else _filtered(self, repository)
    told = {image.image_digest: _detail(repository, image) for image in images}
    return _page(self, "imageDetails", list(told.values()))


def list_images(self: ECRResponse) -> ActionResult:
    """Return the name of each image, one for each of its tags: "You can filter images based on whether or not they
    are tagged by using the tagStatus filter and specifying either TAGGED, UNTAGGED or ANY."

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImages.html
    """
    repository = repository_of(self, "ecr:ListImages")
    told = [
        {"imageDigest": image.image_digest, **({"imageTag": tag} if tag else {})}
        for image in _filtered(self, repository)
        for tag in image.image_tags or [""]
    ]
    return _page(self, "imageIds", told)


def batch_delete_image(self: ECRResponse) -> ActionResult:
    """Delete: "When you remove the last tag from an image, the image is deleted from your repository. You can
    completely delete an image (and all of its tags) by specifying the image's digest in your request."

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html
    """
    repository = repository_of(self, "ecr:BatchDeleteImage")
    deleted, failures = list[dict[str, str]](), list[dict[str, Any]]()
    for asked in self._get_param("imageIds"):
        image, tag = _find(repository, asked), asked.get("imageTag")
        if image is None:
            failures.append(_failure(asked))
            continue
        tags = [tag] if tag else list(image.image_tags) or [""]
        deleted += [{"imageDigest": image.image_digest, **({"imageTag": one} if one else {})} for one in tags]
        for one in tags:
            image.remove_tag(one)
        if not image.image_tags or not tag:
            repository.images.remove(image)
    return ActionResult({"imageIds": deleted, "failures": failures})


def is_mutable(repository: Repository, tag: str) -> bool:
    """Whether a tag may be put on another image: an exclusion filter turns round what is true of the repository.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html
    """
    setting = str(getattr(repository.image_tag_mutability, "value", repository.image_tag_mutability))
    filters = repository.image_tag_mutability_exclusion_filters or []
    is_excluded = setting.endswith(WITH_EXCLUSION) and any(fnmatchcase(tag, one["filter"]) for one in filters)
    return setting.startswith("MUTABLE") != is_excluded


def blobs_of(image: Image) -> dict[str, int]:
    """Return the layers of an image with their sizes, its configuration among them; none of a list of images."""
    manifest = json.loads(image.image_manifest)
    parts = [*manifest.get("layers", ()), *([manifest["config"]] if "config" in manifest else [])]
    return {one["digest"]: int(one["size"]) for one in parts}


def _media_type(manifest: str, given: str | None) -> str:
    """Return what a manifest is: "If you push an image manifest that does not contain the mediaType field, you must
    specify the imageManifestMediaType in the request."
    """
    try:
        found = json.loads(manifest)
        told = given or found.get("mediaType")
    except (ValueError, AttributeError) as error:
        said = "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"
        raise InvalidParameterException(said) from error
    if not told:
        raise InvalidParameterException("image manifest mediatype not provided in manifest or parameter")
    return str(told)


def _keep(repository: Repository, manifest: str, digest: str, media_type: str) -> None:
    """Put it in the registry by its digest, which refuses it when what it names is not there; twice is as once."""
    path = f"/v2/{repository.registry_id}/{repository.region_name}/{repository.name}/manifests/{digest}"
    told = storage().ask("PUT", path, body=manifest.encode(), headers={"Content-Type": media_type})
    said = told.read().decode(errors="replace")
    if told.status < 300:
        return
    codes = {one.get("code") for one in json.loads(said).get("errors", ())} if said.startswith("{") else set()
    if codes & {"MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"}:
        code = "ReferencedImagesNotFoundException" if media_type in LISTS else "LayersNotFoundException"
        raise Refusal(code, f"what the manifest names is not in the repository '{repository.name}': {said}")
    if told.status < 500:
        raise InvalidParameterException(f"Invalid parameter at 'ImageManifest': {said}")
    raise Refusal("ServerException", said)


def _made(repository: Repository, manifest: str, digest: str, media_type: str) -> Image:
    image = Image(
        repository.account_id,
        None,  # type: ignore[arg-type]  # its tag comes after
        manifest,
        repository.name,
        media_type,
        digest,
        repository.registry_id,
    )
    scanning: Any = repository.image_scanning_configuration
    if scanning.get("scanOnPush"):
        image.last_scan = datetime.now(UTC).replace(tzinfo=None)
    repository.images.append(image)
    return image


def _find(repository: Repository, asked: dict[str, str]) -> Image | None:
    """Return the image with all that is asked for."""
    digest, tag = asked.get("imageDigest"), asked.get("imageTag")
    image = find_image(repository, str(digest or tag))
    return image if image and (not tag or tag in image.image_tags) else None


def find_asked(repository: Repository, asked: dict[str, str]) -> Image:
    """Return the image with all that is asked for; ImageNotFoundException when there is none."""
    if image := _find(repository, asked):
        return image
    named = f"{{imageDigest:'{asked.get('imageDigest', 'null')}', imageTag:'{asked.get('imageTag', 'null')}'}}"
    raise ImageNotFoundException(named, repository.name, repository.registry_id)


def _filtered(response: ECRResponse, repository: Repository) -> list[Image]:
    status = (response._get_param("filter") or {}).get("tagStatus", "ANY")
    return [one for one in repository.images if status == "ANY" or bool(one.image_tags) == (status == "TAGGED")]


def _page(response: ECRResponse, name: str, told: list[dict[str, Any]]) -> ActionResult:
    """Return the part that is asked for: "If this parameter is not used, then DescribeImages returns up to 100 results
    and a nextToken value, if applicable."
    """
    start = int(response._get_param("nextToken") or 0)
    end = start + int(response._get_param("maxResults") or 100)
    return ActionResult({name: told[start:end], **({"nextToken": str(end)} if end < len(told) else {})})


def _failure(asked: dict[str, str]) -> dict[str, Any]:
    if not asked.get("imageDigest") and not asked.get("imageTag"):
        reason = "Invalid request parameters: both tag and digest cannot be null"
        return {"imageId": {}, "failureCode": "MissingDigestAndTag", "failureReason": reason}
    return {"imageId": asked, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"}


def _image(repository: Repository, image: Image, asked: dict[str, str]) -> dict[str, Any]:
    named = {"imageDigest": image.image_digest, **({"imageTag": asked["imageTag"]} if asked.get("imageTag") else {})}
    return {
        "registryId": repository.registry_id,
        "repositoryName": repository.name,
        "imageId": named,
        "imageManifest": image.image_manifest,
        "imageManifestMediaType": image.image_manifest_media_type,
    }


def _detail(repository: Repository, image: Image) -> dict[str, Any]:
    config = json.loads(image.image_manifest).get("config", {})
    told = {
        "registryId": repository.registry_id,
        "repositoryName": repository.name,
        "imageDigest": image.image_digest,
        "imageTags": sorted(image.image_tags),
        "imageSizeInBytes": _size(repository, image),
        "imagePushedAt": datetime.fromtimestamp(image.image_pushed_at, UTC),
        "imageManifestMediaType": image.image_manifest_media_type,
        "artifactMediaType": config.get("mediaType"),
        "imageScanStatus": {"status": "COMPLETE"} if image.last_scan else None,
    }
    return {key: value for key, value in told.items() if value not in (None, [])}


def _size(repository: Repository, image: Image) -> int:
    """Return its size: "If the image is a manifest list, this will be the max size of all manifests in the list."

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageDetail.html
    """
    listed = [find_image(repository, one["digest"]) for one in json.loads(image.image_manifest).get("manifests", ())]
    if listed:
        return max(_size(repository, one) for one in listed if one is not None)
    return sum(blobs_of(image).values())


def add() -> None:
    """Put ours in place of moto's."""
    for operation in (put_image, batch_get_image, describe_images, list_images, batch_delete_image):
        setattr(ECRResponse, operation.__name__, operation)
