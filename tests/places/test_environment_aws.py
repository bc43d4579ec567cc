"""Jobs as tasks of ECS, on a local AWS."""

import secrets
from dataclasses import replace

import pytest

from delivery.aws.jobs import EcsJobs
from delivery.aws.task_definition import TaskSettings
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.ports.jobs import Job
from delivery.ports.settings import EnvironmentSettings
from tests.places.environment_contract import TOKEN, JobsContract
from tests.places.test_environment_docker import SCRIPTS
from tests.support.local_aws import local_aws
from tests.support.platforms import new_home, remove_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("aws-environment")]
IMAGE = "busybox"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    home = new_home(tmp_path_factory.mktemp("platform"))
    yield home
    remove_platform(home)


@pytest.fixture(scope="module")
def server(home):
    with local_aws(home.root) as server:
        yield server


@pytest.fixture(scope="module")
def settings(server):
    """An account with what an environment needs for tasks."""
    ec2 = server.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="tasks", Description="tasks", VpcId=vpc)["GroupId"]
    trust = '{"Version": "2012-10-17", "Statement": []}'
    role = server.client("iam").create_role(RoleName="execution", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    server.client("ecs").create_cluster(clusterName="shop")
    server.client("logs").create_log_group(logGroupName="/headway/shop")
    server.client("s3").create_bucket(Bucket="artifacts")
    return TaskSettings(
        cluster="shop",
        subnets=(subnet,),
        security_groups=(group,),
        execution_role=role,
        log_group="/headway/shop",
        bucket="artifacts",
        courier_image="python:3.11-alpine",
    )


@pytest.fixture(scope="module")
def jobs(server, settings):
    return EcsJobs(server.access(), settings, EnvironmentSettings(app="shop", environment="production"))


@pytest.fixture(scope="module")
def opened(jobs):
    class Opened:
        pass

    opened = Opened()
    opened.jobs = jobs
    return opened


@pytest.fixture
def job(tmp_path):
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


class TestJobsAsTasks(JobsContract):
    """The whole contract on ECS, as far as a local AWS is one."""

    def test_nothing_of_a_job_is_left(self, opened, job, server, settings):
        talking = replace(job("talking"), secrets={"TOKEN": secret_of(TOKEN)})

        opened.jobs.run(talking)

        definitions = server.client("ecs").list_task_definitions(familyPrefix="headway-shop", status="ACTIVE")
        assert definitions["taskDefinitionArns"] == []
        assert server.client("secretsmanager").list_secrets()["SecretList"] == []
        assert server.client("ecs").list_tasks(cluster=settings.cluster)["taskArns"] == []

    def test_an_image_that_cannot_be_pulled_is_told_in_ecss_words(self, opened, job, server):
        missing = replace(job("good"), image=f"{server.url.rpartition('/')[2]}/nobody/nothing:1")

        with pytest.raises(Misconfigured, match=r"image .*nobody/nothing:1: CannotPull"):
            opened.jobs.run(missing)


def secret_of(text):
    from pydantic import SecretStr

    return SecretStr(text)
