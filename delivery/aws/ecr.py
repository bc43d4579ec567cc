"""Images in ECR: known by digest, tagged once, and given a tag without being pushed again."""

import base64
import json
from functools import cached_property, partial
from typing import Any

from botocore.exceptions import ClientError
from pydantic import SecretStr

from delivery.aws.access import AwsAccess
from delivery.aws.ecr_findings import scan_of
from delivery.aws.failures import aws_errors, code_of
from delivery.errors import Misconfigured, Rejected
from delivery.ports.registry import Login, Registry
from delivery.releases.release import ImageRef
from delivery.scanning.findings import RegistryScan

IMMUTABLE = ("IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION")
NOT_THERE = ("ImageNotFoundException", "RepositoryNotFoundException")


class EcrImages:
    """The repositories of one account in one region.

    `account` is another one's, whose repositories let these credentials in; none: that of the credentials.
    """

    def __init__(self, access: AwsAccess, account: str | None = None) -> None:
        self.client = access.client("ecr")
        self._whose = {"registryId": account} if account else {}

    def registry(self, prefix: str = "") -> Registry:
        """Return where images are pushed to and pulled from, below `prefix`; missing repositories are made."""

        def below(name: str) -> str:
            return "/".join(filter(None, (prefix, name)))

        address = "/".join(filter(None, (self.server, prefix)))
        return Registry(
            partial(str, address),
            login=self.login,
            prepare=lambda name: self.ensure(below(name)),
            look=lambda name: self.look(below(name)),
            findings=lambda image: self.findings(image.model_copy(update={"repository": below(image.repository)})),
            keeps_tags=True,
        )

    @cached_property
    def server(self) -> str:
        """The registry's address."""
        return self.login().server

    def ref_of(self, image: str) -> ImageRef | None:
        """Return the image of this registry that a reference by digest stands for, named in full; none: another's."""
        name, _, digest = image.partition("@")
        if not digest or not name.startswith(f"{self.server}/"):
            return None
        return ImageRef(repository=name.removeprefix(f"{self.server}/"), digest=digest)

    def login(self) -> Login:
        """Return a new login, which ends after twelve hours.

        https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
        """
        with aws_errors("ecr"):
            told = self.client.get_authorization_token(
                **({"registryIds": [*self._whose.values()]} if self._whose else {})
            )
        given = told["authorizationData"][0]
        user, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
        return Login(given["proxyEndpoint"].partition("://")[2], user, SecretStr(password))

    def ensure(self, name: str) -> None:
        """Make sure there is a repository `name` whose tags nobody moves; Misconfigured when they can be moved."""
        if self._describe(name) is None:
            with aws_errors("ecr"):
                try:
                    self.client.create_repository(
                        repositoryName=name,
                        imageTagMutability=IMMUTABLE[0],
                        imageScanningConfiguration={"scanOnPush": True},
                        **self._whose,
                    )
                except ClientError as error:
                    if code_of(error) != "RepositoryAlreadyExistsException":
                        raise
        self.check(name)

    def look(self, name: str) -> str:
        """Say how repository `name` is; Misconfigured when nothing may be pushed to it."""
        if self._describe(name) is None:
            return f"{name} is made at the first push"
        self.check(name)
        return f"{name}, whose tags nobody moves"

    def check(self, name: str) -> None:
        """Return when there is a repository `name` whose tags nobody moves; Misconfigured with what makes it so."""
        found = self._describe(name)
        if found is None:
            made = f"aws ecr create-repository --repository-name {name} --image-tag-mutability IMMUTABLE"
            raise Misconfigured(f"repository {name}", "ECR has none of that name", next_step=made)
        if found["imageTagMutability"] not in IMMUTABLE:
            change = f"aws ecr put-image-tag-mutability --repository-name {name} --image-tag-mutability IMMUTABLE"
            raise Misconfigured(
                f"repository {name}", "its tags are mutable: what was tested could be replaced", next_step=change
            )

    def digest_of(self, name: str, tag: str) -> str | None:
        """Return what a tag stands for; none when there is no such tag or repository."""
        with aws_errors("ecr"):
            try:
                found = self.client.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}], **self._whose)
            except ClientError as error:
                if code_of(error) in NOT_THERE:
                    return None
                raise
        return str(found["imageDetails"][0]["imageDigest"])

    def promote(self, image: ImageRef, tag: str) -> None:
        """Give an image one more tag by putting its manifest again; nothing is pushed. It is read back and compared.

        Raises Rejected when the image is not there, or the tag stands for another one.
        """
        manifest = self._image(image)
        with aws_errors("ecr"):
            try:
                self.client.put_image(
                    repositoryName=image.repository,
                    imageManifest=manifest["imageManifest"],
                    imageManifestMediaType=manifest["imageManifestMediaType"],
                    imageTag=tag,
                    imageDigest=image.digest,
                    **self._whose,
                )
            except ClientError as error:
                if code_of(error) not in ("ImageAlreadyExistsException", "ImageTagAlreadyExistsException"):
                    raise
        found = self.digest_of(image.repository, tag)
        if found != image.digest:
            raise Rejected(f"{image.repository}:{tag} stands for {found or 'nothing'}, not for {image.digest}")

    def findings(self, image: ImageRef) -> RegistryScan | None:
        """Return what ECR's own scan found; none while it has not ended, or never began.

        https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html
        """
        asked = {"repositoryName": image.repository, "imageId": {"imageDigest": image.digest}, **self._whose}
        pages = self.client.get_paginator("describe_image_scan_findings").paginate(**asked)
        with aws_errors("ecr"):
            try:
                return scan_of(pages.build_full_result())
            except ClientError as error:
                if code_of(error) in ("ScanNotFoundException", *NOT_THERE):
                    return None
                raise

    def _describe(self, name: str) -> dict[str, Any] | None:
        with aws_errors("ecr"):
            try:
                found = self.client.describe_repositories(repositoryNames=[name], **self._whose)["repositories"]
            except ClientError as error:
                if code_of(error) == "RepositoryNotFoundException":
                    return None
                raise
        return dict(found[0])

    def manifest(self, image: ImageRef) -> dict[str, Any]:
        """Return an image's manifest; Rejected when it is not there."""
        return dict(json.loads(self._image(image)["imageManifest"]))

    def download_url(self, image: ImageRef, layer: str) -> str:
        """Return where a layer or the configuration of an image is read, for an hour.

        https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html
        """
        with aws_errors("ecr"):
            told = self.client.get_download_url_for_layer(
                repositoryName=image.repository, layerDigest=layer, **self._whose
            )
        return str(told["downloadUrl"])

    def _image(self, image: ImageRef) -> dict[str, Any]:
        with aws_errors("ecr"):
            told = self.client.batch_get_image(
                repositoryName=image.repository, imageIds=[{"imageDigest": image.digest}], **self._whose
            )
        if not told["images"]:
            why = "; ".join(one.get("failureReason", "") for one in told.get("failures", ()))
            raise Rejected(f"{image.repository}@{image.digest} is not in ECR: {why}")
        found: dict[str, Any] = told["images"][0]
        return found
