"""Images in ECR: tagged once, promoted by their manifest, read back by digest."""

from uuid import uuid4

import httpx
import pytest

from delivery.aws.ecr import EcrImages
from delivery.docker.engine.client import connect
from delivery.docker.images.registry_state import login_of
from delivery.errors import Misconfigured, Rejected
from delivery.opening import open_services
from delivery.platform.local_aws import variables
from delivery.releases.release import ImageRef
from delivery.state import open_registry
from tests.delivery.values import make_release
from tests.support.builds import requested
from tests.support.local_aws import local_aws
from tests.support.platforms import own_platform
from tests.support.registry_client import RepositoryClient

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("local-aws-ecr")]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("ecr")) as home, local_aws(home.root) as server:
        yield server


@pytest.fixture
def images(server):
    return EcrImages(server.access())


@pytest.fixture
def name(server):
    """A repository whose tags nobody moves."""
    name = f"shop/{uuid4().hex[:12]}"
    server.client("ecr").create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    return name


def pushed(images, name, text, tag):
    """Push as whoever is logged in, to where the registry says."""
    uri = images.registry().repository(name)
    return ImageRef(
        repository=name, digest=RepositoryClient(uri, images.login().password.get_secret_value()).push(text, tag)
    )


def test_an_image_is_promoted_without_being_pushed_again_as_often_as_that_is_asked(images, name):
    image = pushed(images, name, "first", "candidate")

    for _ in range(2):
        images.promote(image, "release-1")

    assert images.digest_of(name, "release-1") == images.digest_of(name, "candidate") == image.digest


def test_a_tag_that_stands_for_another_image_is_not_moved_and_told(images, name):
    first, second = pushed(images, name, "first", "one"), pushed(images, name, "second", "two")
    images.promote(first, "release-1")

    with pytest.raises(Rejected, match=f"{name}:release-1 stands for {first.digest}, not for {second.digest}"):
        images.promote(second, "release-1")

    assert images.digest_of(name, "release-1") == first.digest


def test_an_image_whose_promotion_lost_its_answer_is_promoted(images, name, server):
    image = pushed(images, name, "first", "candidate")
    server.put_faults({"service": "ecr", "operation": "PutImage", "kind": "answer lost"})

    images.promote(image, "release-1")

    assert images.digest_of(name, "release-1") == image.digest


def test_what_is_not_there_is_told(images, name):
    nothing = ImageRef(repository=name, digest=f"sha256:{'0' * 64}")

    assert images.digest_of(name, "none") is images.digest_of("shop/none", "none") is images.findings(nothing) is None
    with pytest.raises(Rejected, match="is not in ECR"):
        images.promote(nothing, "release-1")


def test_a_repository_that_is_missing_or_whose_tags_move_is_refused_with_the_command_that_mends_it(
    images, name, server
):
    images.check(name)
    server.client("ecr").create_repository(repositoryName=f"{name}/mutable")

    with pytest.raises(Misconfigured, match="ECR has none of that name") as missing:
        images.check(f"{name}/none")
    with pytest.raises(Misconfigured, match="its tags are mutable") as mutable:
        images.check(f"{name}/mutable")

    assert "aws ecr create-repository" in missing.value.next_step
    assert "aws ecr put-image-tag-mutability" in mutable.value.next_step


def test_what_ecrs_own_scan_found_is_known_once_it_has_ended(images, name, server):
    image = pushed(images, name, "first", "candidate")
    asked = {"repositoryName": name, "imageId": {"imageDigest": image.digest}}
    found = {"findings": [{"name": "CVE-2026-1", "severity": "HIGH"}], "findingSeverityCounts": {"HIGH": 1}}
    put = {"results": [{**asked, "imageScanFindings": found}]}
    httpx.post(f"{server.url}/moto-api/static/ecr/scan-finding-results", json=put, trust_env=False).raise_for_status()
    assert images.findings(image) is None

    server.client("ecr").start_image_scan(**asked)

    below = images.registry("shop").findings(ImageRef(repository=name.removeprefix("shop/"), digest=image.digest))
    assert [(one.id, one.severity) for one in below.findings] == [("CVE-2026-1", "HIGH")]
    assert images.findings(image) == below


def test_a_login_shows_its_password_to_nobody(images):
    login = images.login()

    assert (login.user, login.password.get_secret_value() in repr(login)) == ("AWS", False)


@pytest.fixture
def builder(server, monkeypatch):
    """What builds and pushes to ECR, as a platform has it whose block names one."""
    for name, value in variables(server.url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HEADWAY_HOME", str(server.home))
    return open_services(open_registry("ecr://team")).builder


def test_what_is_built_is_in_ecr_by_digest_however_often_it_is_pushed(builder, images, tmp_path):
    """Tags there stay what they are, also for the very same image: each has one of its own."""
    app = f"shop-{uuid4().hex[:8]}"
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo 1 > /page\n")
    request = requested(tmp_path, repository=f"{app}/web")

    first, again = (builder.build(request, lambda _: None).ref for _ in range(2))
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo 2 > /page\n")
    other = builder.build(request, lambda _: None).ref
    release = make_release(1).model_copy(update={"app": app, "images": {"web": first}})
    published = [builder.publish(release, "run") for _ in range(2)]

    name = builder.registry.reference(first)
    connect().images.pull(name, auth_config=login_of(name, builder.home))
    assert first == again != other
    assert (
        published[0]
        == published[1]
        == ImageRef(repository=f"{app}/release", digest=images.digest_of(f"team/{app}/release", release.fingerprint))
    )
    images.check(f"team/{app}/web")  # it was made so


def test_a_repository_whose_tags_move_is_told_before_anything_is_built(builder, server, tmp_path):
    server.client("ecr").create_repository(repositoryName="team/moving/web")

    with pytest.raises(Misconfigured, match="repository team/moving/web: its tags are mutable"):
        builder.build(requested(tmp_path, repository="moving/web"), lambda _: None)


@pytest.mark.parametrize("address", ["ecr://Team", "https://registry", "ecr://team//web"])
def test_an_address_that_is_no_registrys_is_told_with_what_is_allowed(address):
    with pytest.raises(Misconfigured, match="allowed: host:port, host:port/prefix, ecr://, ecr://ACCOUNT/PREFIX"):
        open_registry(address)
