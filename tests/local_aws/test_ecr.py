"""ECR: an image is what the registry keeps, under the digest that Docker was told.

What AWS says stands with each operation in local_aws/services/ecr*.py.
"""

import hashlib
import io
import json
import signal
import tarfile
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import psutil
import pytest
from botocore.exceptions import ClientError
from docker.errors import APIError

from delivery.docker.engine.client import connect
from local_aws.registry.policy import allows
from local_aws.registry.tokens import Principal
from tests.support.local_aws import local_aws
from tests.support.platforms import own_platform
from tests.support.registry_client import INDEX, MANIFEST, RepositoryClient, digest_of, token_of

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("local-aws-ecr")]
OWN, OTHER = "123456789012", "222222222222"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("ecr")) as home, local_aws(home.root) as server:
        yield server


@pytest.fixture(scope="module")
def ecr(server):
    return server.client("ecr")


@pytest.fixture
def name():
    return f"shop/{uuid4().hex[:12]}"


@pytest.fixture
def repository(ecr, name):
    return RepositoryClient(ecr.create_repository(repositoryName=name)["repository"]["repositoryUri"], token_of(ecr))


@pytest.fixture(scope="module")
def other(server):
    """The keys of a role of another account."""
    arn = f"arn:aws:iam::{OTHER}:role/deploys"
    made = server.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
        "aws_session_token": made["SessionToken"],
    }


@pytest.fixture
def image():
    """An image of a few bytes that the engine has."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        text = uuid4().hex.encode()
        entry = tarfile.TarInfo("text")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    made = connect().api.import_image_from_data(buffer.getvalue())
    image = connect().images.get(json.loads(made)["status"])
    yield image
    connect().images.remove(image.id, force=True)


def docker_push(image, uri, tag, password):
    """Push with the engine; return the digest that it was told, or the error."""
    image.tag(uri, tag)
    auth = {"username": "AWS", "password": password}
    lines = list(connect().images.push(uri, tag=tag, auth_config=auth, stream=True, decode=True))
    told = [line["aux"]["Digest"] for line in lines if "aux" in line]
    return told[0] if told else next(line["error"] for line in lines if "error" in line)


def digests(ecr, name):
    return {
        one["imageDigest"]: one.get("imageTags", []) for one in ecr.describe_images(repositoryName=name)["imageDetails"]
    }


def error_of(call, **asked):
    with pytest.raises(ClientError) as told:
        call(**asked)
    return told.value.response["Error"]["Code"]


def test_docker_pushes_and_pulls_and_the_digest_is_the_one_it_was_told(ecr, name, repository, image):
    digest = docker_push(image, repository.uri, "v1", repository.password)

    assert digests(ecr, name) == {digest: ["v1"]}
    told = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "v1"}])["images"][0]
    assert digest_of(told["imageManifest"].encode()) == digest == repository.pull("v1").headers["Docker-Content-Digest"]
    connect().images.remove(image.id, force=True)
    auth = {"username": "AWS", "password": repository.password}
    assert connect().images.pull(f"{repository.uri}@{digest}", auth_config=auth).id == image.id


def test_docker_logs_in_with_the_token_and_with_nothing_else(ecr):
    data = ecr.get_authorization_token()["authorizationData"][0]
    host = data["proxyEndpoint"].removeprefix("http://").partition("/")[0]
    token = token_of(ecr)
    assert "Succeeded" in connect().api.login("AWS", token, registry=host, reauth=True)["Status"]

    for user, password in (("AWS", "guessed"), ("AWS", token[:-1]), ("root", token)):
        with pytest.raises(APIError, match="401 Unauthorized"):
            connect().api.login(user, password, registry=host, reauth=True)
    asked = httpx.get(f"http://{host}/v2/", trust_env=False)
    assert (asked.status_code, asked.headers["WWW-Authenticate"].startswith("Basic realm=")) == (401, True)
    lasts = data["expiresAt"] - datetime.now(UTC)
    assert timedelta(hours=11, minutes=59) < lasts <= timedelta(hours=12)


def test_accounts_and_regions_have_addresses_of_their_own(server, ecr, other, name):
    uris = [
        one.create_repository(repositoryName=name)["repository"]["repositoryUri"]
        for one in (ecr, server.client("ecr", region="eu-west-1"), server.client("ecr", **other))
    ]

    host = server.url.removeprefix("http://")
    places = [f"{host}/{OWN}/us-east-1", f"{host}/{OWN}/eu-west-1", f"{host}/{OTHER}/us-east-1"]
    assert uris == [f"{place}/{name}" for place in places]
    told = server.client("ecr", **other).get_authorization_token()["authorizationData"][0]
    assert told["proxyEndpoint"] == f"http://{places[2]}"
    RepositoryClient(uris[0], token_of(ecr)).push("mine", "v1")
    assert RepositoryClient(uris[1], token_of(ecr)).pull("v1").status_code == 404


def test_a_repository_that_is_not_there_takes_no_push(server, ecr, image):
    uri = f"{server.url.removeprefix('http://')}/{OWN}/us-east-1/nowhere"

    assert docker_push(image, uri, "v1", token_of(ecr)) == (
        f"name unknown: The repository with name 'nowhere' does not exist in the registry with id '{OWN}'"
    )


def test_an_immutable_tag_stays_where_it_is(ecr, name, image):
    made = ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")["repository"]
    repository = RepositoryClient(made["repositoryUri"], token_of(ecr))
    first = repository.push("first", "v1")

    said = docker_push(image, repository.uri, "v1", repository.password)

    assert said.startswith(f"tag invalid: The image tag 'v1' already exists in the '{name}' repository and cannot be")
    manifest = repository.manifest("third").decode()
    assert error_of(ecr.put_image, repositoryName=name, imageManifest=manifest, imageTag="v1") == (
        "ImageTagAlreadyExistsException"
    )
    assert repository.put("v1", repository.manifest("first")).status_code == 400  # also the same image once more
    assert digests(ecr, name) == {first: ["v1"]}


def test_the_same_image_is_pushed_again_to_a_mutable_tag(ecr, name, repository):
    assert repository.push("first", "v1") == repository.push("first", "v1")


def test_an_exclusion_lets_some_tags_move(ecr, name):
    filters = [{"filter": "dev-*", "filterType": "WILDCARD"}]
    made = ecr.create_repository(
        repositoryName=name,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=filters,
    )["repository"]
    repository = RepositoryClient(made["repositoryUri"], token_of(ecr))
    for text in ("first", "second"):
        repository.push(text, "dev-1")
    repository.push("first", "v1")

    assert repository.put("v1", repository.manifest("second")).status_code == 400


def test_a_tag_that_moves_leaves_its_image_untagged(ecr, name, repository):
    first, second = repository.push("first", "v1"), repository.push("second", "v1")

    assert digests(ecr, name) == {first: [], second: ["v1"]}
    untagged = ecr.list_images(repositoryName=name, filter={"tagStatus": "UNTAGGED"})["imageIds"]
    tagged = ecr.list_images(repositoryName=name, filter={"tagStatus": "TAGGED"})["imageIds"]
    assert (untagged, tagged) == ([{"imageDigest": first}], [{"imageDigest": second, "imageTag": "v1"}])


def statement(effect, action, principal=f"arn:aws:iam::{OTHER}:root"):
    return {"Effect": effect, "Principal": {"AWS": principal}, "Action": action}


PULLS = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
ROLE = f"arn:aws:iam::{OTHER}:role/deploys"


@pytest.mark.parametrize(
    ("statements", "may"),
    [
        ([], False),
        ([statement("Allow", PULLS)], True),
        ([statement("Allow", "ecr:*", OTHER)], True),
        ([statement("Allow", PULLS, [ROLE])], True),
        ([statement("Allow", PULLS) | {"Principal": "*"}], True),
        ([statement("Allow", PULLS, [f"arn:aws:iam::{OTHER}:role/others"])], False),
        ([statement("Allow", ["ecr:ListImages"])], False),
        ([statement("Allow", PULLS), statement("Deny", "ecr:BatchGet*", "*")], False),
        ([statement("Allow", PULLS) | {"Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}], False),
    ],
)
def test_a_policy_lets_others_do_what_a_statement_allows_and_none_denies(statements, may):
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})

    assert allows(text, Principal(OTHER, (ROLE,)), "ecr:BatchGetImage") is may


def test_another_account_pulls_when_the_policy_of_the_repository_says_so(server, ecr, other, name, repository):
    repository.push("ours", "v1")
    theirs = server.client("ecr", **other)
    them = RepositoryClient(repository.uri, token_of(theirs))
    asked = {"registryId": OWN, "repositoryName": name, "imageIds": [{"imageTag": "v1"}]}
    assert them.pull("v1").json()["errors"][0]["code"] == "DENIED"
    assert error_of(theirs.batch_get_image, **asked) == "AccessDeniedException"

    ecr.set_repository_policy(repositoryName=name, policyText=json.dumps({"Statement": [statement("Allow", PULLS)]}))

    pulled = them.pull("v1")
    layer = pulled.json()["layers"][0]["digest"]
    assert them.ask("GET", f"blobs/{layer}").content == b"ours"
    assert theirs.batch_get_image(**asked)["images"][0]["imageManifest"] == pulled.text
    assert them.ask("POST", "blobs/uploads/").status_code == 403


def test_a_layer_of_a_repository_one_may_not_read_cannot_be_had_by_mounting_it(server, ecr, other, name, repository):
    layer = digest_of(b"ours")
    repository.push("ours", "v1")
    theirs = server.client("ecr", **other)
    mine = RepositoryClient(
        theirs.create_repository(repositoryName=name)["repository"]["repositoryUri"], token_of(theirs)
    )
    source = repository.uri.partition("/")[2]

    begun = mine.ask("POST", f"blobs/uploads/?mount={layer}&from={source}")

    assert (begun.status_code, mine.ask("HEAD", f"blobs/{layer}").status_code) == (202, 404)
    allowed = json.dumps({"Statement": [statement("Allow", PULLS)]})
    ecr.set_repository_policy(repositoryName=name, policyText=allowed)
    assert mine.ask("POST", f"blobs/uploads/?mount={layer}&from={source}").status_code == 201


def test_an_image_is_promoted_by_putting_its_manifest(ecr, name, repository):
    digest = repository.push("shop", "v1")
    manifest = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageDigest": digest}])["images"][0]

    put = ecr.put_image(repositoryName=name, imageManifest=manifest["imageManifest"], imageTag="stable")["image"]

    assert put["imageId"] == {"imageDigest": digest, "imageTag": "stable"}
    assert repository.pull("stable").text == manifest["imageManifest"]
    assert digests(ecr, name) == {digest: ["stable", "v1"]}
    told = ecr.describe_images(repositoryName=name)["imageDetails"][0]
    assert (told["imageSizeInBytes"], told["imageManifestMediaType"]) == (len(b'{"text": "shop"}') + 4, MANIFEST)
    assert abs(told["imagePushedAt"] - datetime.now(UTC)) < timedelta(minutes=5)
    assert repository.ask("GET", "tags/list").json()["tags"] == ["stable", "v1"]
    assert (
        error_of(ecr.put_image, repositoryName=name, imageManifest=manifest["imageManifest"], imageTag="stable")
        == "ImageAlreadyExistsException"
    )


def test_a_manifest_is_refused_that_names_what_is_not_there_or_is_another_one(ecr, name, repository):
    whole = repository.manifest("shop")
    missing = json.loads(whole)
    missing["layers"][0]["digest"] = digest_of(b"never pushed")
    put = {"repositoryName": name, "imageTag": "v1"}

    assert error_of(ecr.put_image, **put, imageManifest=json.dumps(missing)) == "LayersNotFoundException"
    assert error_of(ecr.put_image, **put, imageManifest="{") == "InvalidParameterException"
    assert error_of(ecr.put_image, **put, imageManifest=whole.decode(), imageDigest=digest_of(b"")) == (
        "ImageDigestDoesNotMatchException"
    )
    lists = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"digest": digest_of(whole), "size": len(whole)}]}
    lists["manifests"][0] |= {"mediaType": MANIFEST, "platform": {"os": "linux", "architecture": "amd64"}}
    assert error_of(ecr.put_image, **put, imageManifest=json.dumps(lists)) == "ReferencedImagesNotFoundException"
    assert digests(ecr, name) == {}

    assert repository.put(digest_of(whole), whole).status_code == 201
    assert repository.put("all", json.dumps(lists).encode(), INDEX).status_code == 201
    sizes = {one["imageSizeInBytes"] for one in ecr.describe_images(repositoryName=name)["imageDetails"]}
    assert sizes == {len(b'{"text": "shop"}') + 4}  # of a list: that of the greatest it names


def test_images_are_found_in_pages_and_told_when_they_are_not_there(ecr, name, repository):
    pushed = {repository.push(f"image {number}", f"v{number}") for number in range(3)}

    pages = list(ecr.get_paginator("describe_images").paginate(repositoryName=name, PaginationConfig={"PageSize": 2}))

    assert [len(page["imageDetails"]) for page in pages] == [2, 1]
    assert {one["imageDigest"] for page in pages for one in page["imageDetails"]} == pushed
    asked = {"repositoryName": name, "imageIds": [{"imageTag": "v0"}, {"imageTag": "none"}]}
    assert [one["failureCode"] for one in ecr.batch_get_image(**asked)["failures"]] == ["ImageNotFound"]
    assert error_of(ecr.describe_images, **asked) == "ImageNotFoundException"


def test_an_image_is_deleted_with_its_last_tag_or_by_its_digest(ecr, name, repository):
    first, second = repository.push("first", "v1"), repository.push("second", "v2")
    repository.push("first", "stable")

    def delete(**asked):
        return ecr.batch_delete_image(repositoryName=name, imageIds=[asked])

    assert delete(imageTag="v1")["imageIds"] == [{"imageDigest": first, "imageTag": "v1"}]
    assert digests(ecr, name) == {first: ["stable"], second: ["v2"]}
    delete(imageTag="stable")
    assert digests(ecr, name) == {second: ["v2"]}
    delete(imageDigest=second)
    assert (digests(ecr, name), repository.pull(second).status_code) == ({}, 404)
    assert delete(imageDigest=second)["failures"][0]["failureCode"] == "ImageNotFound"


def test_a_layer_is_downloaded_by_a_link_that_is_good_for_it_alone(ecr, name, repository):
    repository.push("shop", "v1")
    repository.put_blob(b"of no image")

    url = ecr.get_download_url_for_layer(repositoryName=name, layerDigest=digest_of(b"shop"))["downloadUrl"]

    assert httpx.get(url, trust_env=False).content == b"shop"
    elsewhere = url.replace(digest_of(b"shop"), digest_of(b"of no image"))
    assert httpx.get(elsewhere, trust_env=False).status_code == 401
    asked = {"repositoryName": name, "layerDigest": digest_of(b"of no image")}
    assert error_of(ecr.get_download_url_for_layer, **asked) == "LayerInaccessibleException"


def test_layers_are_pushed_by_the_api_as_well(ecr, name, repository):
    content = b"first part, second part"
    upload = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    about = {"repositoryName": name, "uploadId": upload}
    ecr.upload_layer_part(**about, partFirstByte=0, partLastByte=10, layerPartBlob=content[:11])
    gap = {**about, "partFirstByte": 12, "partLastByte": 22, "layerPartBlob": content[12:]}
    assert error_of(ecr.upload_layer_part, **gap) == "InvalidLayerPartException"
    ecr.upload_layer_part(**about, partFirstByte=11, partLastByte=22, layerPartBlob=content[11:])

    ecr.complete_layer_upload(**about, layerDigests=[digest_of(content)])

    assert repository.ask("GET", f"blobs/{digest_of(content)}").content == content
    asked = [digest_of(content), digest_of(b"never pushed")]
    told = ecr.batch_check_layer_availability(repositoryName=name, layerDigests=asked)
    assert [one["layerSize"] for one in told["layers"]] == [len(content)]
    assert [one["failureCode"] for one in told["failures"]] == ["MissingLayerDigest"]


def test_what_a_scan_finds_is_what_was_put_for_the_image(server, ecr, name, repository):
    repository.push("shop", "v1")
    asked = {"repositoryName": name, "imageId": {"imageTag": "v1"}}
    assert error_of(ecr.describe_image_scan_findings, **asked) == "ScanNotFoundException"
    ecr.start_image_scan(**asked)
    assert ecr.describe_image_scan_findings(**asked)["imageScanFindings"]["findings"] == []

    finding = {"name": "CVE-2026-1", "severity": "HIGH", "uri": "https://example.org"}
    found = {"findings": [finding], "findingSeverityCounts": {"HIGH": 1}}
    put = {"results": [{"repositoryName": name, "imageId": {"imageTag": "v1"}, "imageScanFindings": found}]}
    httpx.post(f"{server.url}/moto-api/static/ecr/scan-finding-results", json=put, trust_env=False).raise_for_status()

    for _ in range(2):
        told = ecr.describe_image_scan_findings(**asked)
        assert (told["imageScanFindings"]["findings"], told["imageScanStatus"]["status"]) == ([finding], "COMPLETE")


def test_a_lifecycle_policy_is_kept(ecr, name, repository):
    rule = {"rulePriority": 1, "action": {"type": "expire"}}
    rule |= {"selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 9}}
    text = json.dumps({"rules": [rule]})

    ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=text)

    assert ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"] == text


@pytest.mark.parametrize(("kind", "status"), [("throttled", 429), ("denied", 403), ("error", 500)])
def test_a_push_meets_the_faults_it_is_to_meet(server, repository, kind, status):
    server.put_faults({"service": "ecr", "operation": "PUT /v2/.*/manifests/.*", "kind": kind})
    manifest = repository.manifest("shop")

    assert repository.put("v1", manifest).status_code == status
    assert repository.put("v1", manifest).status_code == 201


def test_a_push_whose_answer_is_lost_was_done(server, ecr, name, repository):
    server.put_faults({"service": "ecr", "operation": "PUT /v2/.*/manifests/.*", "kind": "answer lost"})
    manifest = repository.manifest("shop")

    with pytest.raises(httpx.RemoteProtocolError):
        repository.put("v1", manifest)

    assert digests(ecr, name) == {digest_of(manifest): ["v1"]}


def test_images_are_as_before_after_a_kill_and_layers_are_not_written_down(server, ecr, name, repository):
    content = "layer " * 40_000
    before = repository.push(content, "v1"), repository.push("second", "v2")
    described = ecr.describe_images(repositoryName=name)["imageDetails"]
    server.stop(signal.SIGKILL)
    connect().containers.get(f"headway-{identity(server)}-aws-registry").kill()
    server.start()

    again = ecr.describe_images(repositoryName=name)["imageDetails"]
    pushed = [one.pop("imagePushedAt") for told in zip(described, again, strict=True) for one in told]
    assert again == described
    assert max(pushed) - min(pushed) < timedelta(minutes=1)
    assert [digest_of(repository.pull(tag).content) for tag in ("v1", "v2")] == list(before)
    assert repository.ask("GET", f"blobs/{digest_of(content.encode())}").text == content
    assert (server.home / "aws" / "requests.jsonl").stat().st_size < len(content)


def test_paths_of_other_services_that_begin_alike_are_theirs(server):
    assert server.client("apigatewayv2").get_apis()["Items"] == []


@pytest.mark.long
def test_a_great_layer_passes_through_in_pieces(server, repository):
    """A quarter of a gigabyte goes through a process that grows by a tenth of that at most."""
    process = psutil.Process(server.process_id)
    piece = bytes(range(256)) * 4096
    before, grown, digest = process.memory_info().rss, 0, hashlib.sha256()

    def pieces():
        nonlocal grown
        for _ in range(256):
            digest.update(piece)
            grown = max(grown, process.memory_info().rss - before)
            yield piece

    begun = repository.ask("POST", "blobs/uploads/").headers["Location"]
    sent = repository.ask("PATCH", begun, content=pieces())
    ended = repository.ask("PUT", f"{sent.headers['Location']}&digest=sha256:{digest.hexdigest()}")

    assert (sent.status_code, ended.status_code) == (202, 201)
    assert grown < 25 << 20


def identity(server):
    return (server.home / "identity").read_text().strip()
