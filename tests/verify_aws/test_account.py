"""The contracts of this repository's ports against a real account: `make verify-aws`."""

import os
import secrets
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest

from delivery.aws.ecr import EcrImages
from delivery.aws.jobs import EcsJobs
from delivery.aws.preflight import account_looks, task_looks
from delivery.aws.s3_leases import S3Leases
from delivery.aws.s3_store import S3Store
from delivery.aws.secrets import SecretsManager
from delivery.errors import Misconfigured
from delivery.ports.aws_account import AwsAccount
from delivery.ports.jobs import Job
from delivery.ports.preflight import look_at
from delivery.ports.settings import EnvironmentSettings
from delivery.releases.release import ImageRef
from delivery.spec.aws_secret import AwsSecretName
from tests.places.environment_contract import JobsContract
from tests.places.test_environment_docker import SCRIPTS
from tests.places.test_leases import LeaseContract, racing
from tests.places.test_stores import StoreContract
from tests.support.registry_client import RepositoryClient

RACE = """
import sys
from delivery.aws.access import AwsAccess
from delivery.aws.s3_leases import S3Leases
leases = S3Leases(AwsAccess().client("s3"), sys.argv[1], sys.argv[2])
"""
IMAGE = os.environ.get("HEADWAY_VERIFY_AWS_IMAGE") or "public.ecr.aws/docker/library/busybox:1.36"


def test_the_credentials_work() -> None:
    [found] = look_at(account_looks(AwsAccount(), "this machine"))
    assert found.is_well, found


def test_there_is_what_tasks_need(access, task_settings) -> None:
    assert [one for one in look_at(task_looks(access, task_settings)) if not one.is_well] == []


class TestStore(StoreContract):
    @pytest.fixture
    def store(self, access, bucket):
        return S3Store(access.client("s3"), bucket, uuid4().hex)


class TestLeases(LeaseContract):
    @pytest.fixture
    def prefix(self):
        return uuid4().hex

    @pytest.fixture
    def make(self, access, bucket, prefix):
        return lambda **more: S3Leases(access.client("s3"), bucket, prefix, **more)

    @pytest.fixture
    def race(self, bucket, prefix):
        with racing(RACE, bucket, prefix) as run:
            yield run


def test_a_secret_is_read_by_its_key_and_referred_to_by_its_arn(access, name) -> None:
    client, manager = access.client("secretsmanager"), SecretsManager(access)
    made = client.create_secret(Name=name, SecretString='{"password": "p#w"}')
    try:
        assert manager.read(AwsSecretName(name, "password")).get_secret_value() == "p#w"
        assert manager.reference(AwsSecretName(name, "password")) == f"{made['ARN']}:password::"
        with pytest.raises(Misconfigured, match="has no key user; allowed: password"):
            manager.read(AwsSecretName(name, "user"))
    finally:
        client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def test_an_image_is_pushed_promoted_and_known_by_its_digest(access, name) -> None:
    images, client = EcrImages(access), access.client("ecr")
    images.ensure(name)
    try:
        address = images.registry().repository(name)
        scheme = "http" if address.startswith("127.") else "https"
        pushing = RepositoryClient(address, images.login().password.get_secret_value(), scheme)
        image = ImageRef(repository=name, digest=pushing.push("first", "candidate"))
        for _ in range(2):
            images.promote(image, "release-1")
        assert images.digest_of(name, "release-1") == image.digest
        assert images.look(name) == f"{name}, whose tags nobody moves"
    finally:
        client.delete_repository(repositoryName=name, force=True)


class TestJobs(JobsContract):
    @pytest.fixture
    def opened(self, access, task_settings):
        return SimpleNamespace(
            jobs=EcsJobs(access, task_settings, EnvironmentSettings(app="verify", environment="aws"))
        )

    @pytest.fixture
    def job(self, tmp_path: Path):
        def make(kind):
            return Job(
                name="try",
                image=IMAGE,
                run=f"run-{secrets.token_hex(3)}",
                log=tmp_path / "log.txt",
                command=("sh", "-c", SCRIPTS[kind]),
                report_dir=tmp_path / "reports",
            )

        return make
