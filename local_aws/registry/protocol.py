"""The protocol of registries (`/v2/`), as ECR speaks it: who may, which repositories and tags there are.

Tags and images are those of ECR's records; manifests and layers by their digest are the registry's behind it. Layers
pass through piece by piece, and nothing about them is written down. A manifest becomes an image by PutImage.
https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import base64
import binascii
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

from botocore.exceptions import BotoCoreError, ClientError
from docker.errors import DockerException
from moto.ecr.models import Image, Repository, ecr_backends
from urllib3.exceptions import HTTPError

from delivery.errors import HeadwayError
from local_aws.own_client import own_client
from local_aws.registry import tokens
from local_aws.registry.answers import VERSION, Answer, Refused, denied, no_image, no_repository, said, unauthorized
from local_aws.registry.policy import allows
from local_aws.registry.storage import storage
from local_aws.registry.tokens import Principal

_PATH = re.compile(
    r"/v2/(?P<account>\d{12})/(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)/(?P<name>[a-z0-9][a-z0-9._/-]*)"
    r"/(?P<kind>manifests|blobs|tags)/(?P<rest>[^?]+)"
)
PIECE_BYTES = 1 << 20
MANIFEST_BYTES = 4 << 20  # https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
PASSED = ("Content-Length", "Content-Type", "Content-Range", "Range", "Accept", "If-None-Match")
RETURNED = (*PASSED, "Location", "Docker-Content-Digest", "Docker-Upload-UUID", "ETag", "Accept-Ranges")
EXPIRED = "Your authorization token has expired. Reauthenticate and try again."
# What PutImage refuses with, and how the protocol of registries says it.
CODES = {
    "ImageTagAlreadyExistsException": ("400 Bad Request", "TAG_INVALID"),
    "LayersNotFoundException": ("400 Bad Request", "MANIFEST_BLOB_UNKNOWN"),
    "ReferencedImagesNotFoundException": ("400 Bad Request", "MANIFEST_BLOB_UNKNOWN"),
    "ImageDigestDoesNotMatchException": ("400 Bad Request", "DIGEST_INVALID"),
    "InvalidParameterException": ("400 Bad Request", "MANIFEST_INVALID"),
    "RepositoryNotFoundException": ("404 Not Found", "NAME_UNKNOWN"),
    "AccessDeniedException": ("403 Forbidden", "DENIED"),
    "ThrottlingException": ("429 Too Many Requests", "TOOMANYREQUESTS"),
}
Start = Callable[[str, list[tuple[str, str]]], object]


@dataclass(frozen=True)
class Asked:
    """A request about one repository."""

    environ: dict[str, Any]
    account: str
    region: str
    name: str
    kind: str
    rest: str

    @property
    def method(self) -> str:
        """Its method; HEAD is read as GET is."""
        return str(self.environ["REQUEST_METHOD"])

    @property
    def repository(self) -> Repository:
        """The record it is about; Refused when there is none."""
        found: Repository | None = ecr_backends[self.account][self.region].repositories.get(self.name)
        if found is None:
            raise no_repository(self.name, self.account)
        return found

    @property
    def action(self) -> str:
        """What IAM calls it.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html
        """
        reads = self.method in ("GET", "HEAD")
        if self.kind == "manifests":
            return "ecr:BatchGetImage" if reads else "ecr:PutImage"
        if self.kind == "tags":
            return "ecr:ListImages"
        if self.rest.startswith("uploads"):
            others = {"POST": "ecr:InitiateLayerUpload", "PUT": "ecr:CompleteLayerUpload"}
            return others.get(self.method, "ecr:UploadLayerPart")
        return "ecr:BatchCheckLayerAvailability" if self.method == "HEAD" else "ecr:GetDownloadUrlForLayer"


def answer(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    """Answer one request of a client of registries; what it says of failures is in the protocol's words."""
    try:
        status, headers, content = _answered(environ)
    except Refused as error:
        status, headers, content = error.answer
    except (HTTPError, HeadwayError, DockerException, BotoCoreError, OSError) as error:
        status, headers, content = said("503 Service Unavailable", "UNAVAILABLE", str(error))
    start(status, headers)
    return [content] if isinstance(content, bytes) else content


def _answered(environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes | Iterator[bytes]]:
    path = str(environ["PATH_INFO"])
    if (principal := _principal(environ)) is None:
        return unauthorized()
    if path in ("/v2/", "/v2"):
        return "200 OK", [("Content-Type", "application/json"), VERSION], b"{}"
    if (found := _PATH.fullmatch(path)) is None:
        raise Refused("404 Not Found", "NAME_UNKNOWN", "Repositories are named ACCOUNT/REGION/NAME here")
    asked = Asked(environ, **found.groupdict())
    check_allowed(asked.repository, principal, asked.action)
    if asked.kind == "tags":
        return _tags(asked)
    if asked.kind == "manifests":
        return _put(asked, principal) if asked.method == "PUT" else _manifest(asked)
    if asked.method == "DELETE" and not asked.rest.startswith("uploads"):
        raise _unsupported()
    return _passed(asked, principal)


def check_allowed(repository: Repository, principal: Principal, action: str) -> None:
    """Return when it may be done: by the repository's own account always, by another one as the policy says.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html
    """
    if principal.account != repository.registry_id and not allows(repository.policy, principal, action):
        arn = principal.arns[0] if principal.arns else f"arn:aws:iam::{principal.account}:root"
        raise denied(arn, action, repository.arn)


def find_image(repository: Repository, reference: str) -> Image | None:
    """Return the image with a digest or a tag."""
    for image in repository.images:
        if reference == image.image_digest or reference in image.image_tags:
            return image
    return None


def _principal(environ: dict[str, Any]) -> Principal | None:
    """Return who asks; none for who does not say, or whose word was not written here."""
    link = parse_qs(str(environ.get("QUERY_STRING", ""))).get("X-Headway-Token", [""])[0]
    grant = tokens.read(link or _password(str(environ.get("HTTP_AUTHORIZATION", ""))))
    if grant is None or (grant.path and (grant.path != environ["PATH_INFO"] or environ["REQUEST_METHOD"] != "GET")):
        return None
    if grant.expires < time.time():
        raise Refused("403 Forbidden", "DENIED", EXPIRED)
    return grant.principal


def _password(header: str) -> str:
    kind, _, word = header.partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        user, _, password = base64.b64decode(word).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password if user == tokens.USER else ""


def _tags(asked: Asked) -> Answer:
    tags = sorted(tag for image in asked.repository.images for tag in image.image_tags)
    content = json.dumps({"name": f"{asked.account}/{asked.region}/{asked.name}", "tags": tags}).encode()
    return "200 OK", [("Content-Type", "application/json"), VERSION], content


def _manifest(asked: Asked) -> Answer:
    if asked.method not in ("GET", "HEAD"):
        raise _unsupported()
    if (image := find_image(asked.repository, asked.rest)) is None:
        raise no_image()
    content = image.image_manifest.encode()
    headers = [
        ("Content-Type", str(image.image_manifest_media_type)),
        ("Docker-Content-Digest", image.image_digest),
        ("Content-Length", str(len(content))),
        VERSION,
    ]
    return "200 OK", headers, b"" if asked.method == "HEAD" else content


def _put(asked: Asked, principal: Principal) -> Answer:
    """Make an image of a manifest, as PutImage does; one that is there already is no error for who pushes."""
    content = b"".join(_body(asked.environ, MANIFEST_BYTES))
    by_digest = asked.rest.startswith("sha256:")
    wanted = {"imageDigest": asked.rest} if by_digest else {"imageTag": asked.rest}
    try:
        made = own_client("ecr", asked.account, asked.region).put_image(
            repositoryName=asked.name,
            imageManifest=content.decode(),
            imageManifestMediaType=str(asked.environ.get("CONTENT_TYPE", "")).partition(";")[0],
            **wanted,
        )
        digest = made["image"]["imageId"]["imageDigest"]
    except ClientError as error:
        digest = _digest_of_same(asked, error)
    except UnicodeDecodeError as error:
        raise Refused("400 Bad Request", "MANIFEST_INVALID", str(error)) from error
    path = f"/v2/{asked.account}/{asked.region}/{asked.name}/manifests/{digest}"
    return "201 Created", [("Location", path), ("Docker-Content-Digest", digest), VERSION], b""


def _digest_of_same(asked: Asked, error: ClientError) -> str:
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    image = find_image(asked.repository, asked.rest)
    if code == "ImageAlreadyExistsException" and image is not None:
        return str(image.image_digest)
    status, told = CODES.get(code, ("500 Internal Server Error", "UNKNOWN"))
    raise Refused(status, told, message) from error


def _passed(asked: Asked, principal: Principal) -> tuple[str, list[tuple[str, str]], Iterator[bytes]]:
    """Let the registry answer, with what comes and what goes never whole in memory."""
    given = asked.environ
    names = {
        name: "HTTP_" * (not name.startswith("Content-") or name == "Content-Range") + _cgi(name) for name in PASSED
    }
    headers = {name: str(given[key]) for name, key in names.items() if given.get(key)}
    path = f"/v2/{asked.account}/{asked.region}/{asked.name}/{asked.kind}/{asked.rest}"
    query = _query(asked, principal)
    body = _body(given) if asked.method in ("PUT", "PATCH", "POST") else None
    told = storage().ask(asked.method, f"{path}?{query}" if query else path, body=body, headers=headers)
    returned = [(name, told.headers[name]) for name in RETURNED if name in told.headers]

    def content() -> Iterator[bytes]:
        try:
            yield from told.stream(PIECE_BYTES)
        finally:
            told.release_conn()

    return f"{told.status} {told.reason}", [*returned, VERSION], content()


def _query(asked: Asked, principal: Principal) -> str:
    """Return the query without who asks, and without a source to mount a layer from that is not theirs to read."""
    query = parse_qs(str(asked.environ.get("QUERY_STRING", "")), keep_blank_values=True)
    query.pop("X-Headway-Token", None)
    if source := query.get("from"):
        found = _PATH.fullmatch(f"/v2/{source[0]}/blobs/any")
        try:
            asked_from = Asked({"REQUEST_METHOD": "GET"}, **found.groupdict()) if found else None
            check_allowed(asked_from.repository, principal, asked_from.action) if asked_from else query.clear()
        except Refused:
            query.clear()
    return urlencode(query, doseq=True)


def _body(environ: dict[str, Any], limit: int = 0) -> Iterator[bytes]:
    """Yield what is sent, piece by piece; Refused beyond `limit`."""
    stream, length = environ["wsgi.input"], environ.get("CONTENT_LENGTH")
    left = int(length) if length else None if environ.get("wsgi.input_terminated") else 0
    read = 0
    while left is None or left > 0:
        piece = stream.read(PIECE_BYTES if left is None else min(PIECE_BYTES, left))
        if not piece:
            return
        read += len(piece)
        if limit and read > limit:
            raise Refused("413 Payload Too Large", "SIZE_INVALID", f"a manifest has at most {limit} bytes")
        left = None if left is None else left - len(piece)
        yield piece


def _cgi(name: str) -> str:
    return name.upper().replace("-", "_")


def _unsupported() -> Refused:
    return Refused("405 Method Not Allowed", "UNSUPPORTED", "Invalid operation; images are deleted by BatchDeleteImage")
