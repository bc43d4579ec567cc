"""The stacks of infra/aws applied by Headway's port on a local AWS: made, found unchanged, compared, and gone."""

import shutil
import time

import pytest

from delivery.aws.preflight import task_looks
from delivery.aws.second_settings import second_settings
from delivery.aws.task_definition import TaskSettings
from delivery.platform.local_aws import variables
from delivery.ports.preflight import look_at
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.ecs_target import EcsTarget
from delivery.spec.infrastructure import Infrastructure
from delivery.terraform.infrastructure import StackPlace, TerraformInfrastructure
from tests.infra.stacks import AWS, ENVIRONMENT, SHARED
from tests.support.local_aws import local_aws
from tests.support.platforms import own_platform
from tests.support.stacks import needs_terraform
from tests.support.terraform_mirror import needs_provider, variables_for

pytestmark = [
    needs_terraform,
    needs_provider,
    pytest.mark.docker,
    pytest.mark.long,
    pytest.mark.xdist_group("local-aws-stacks"),
    pytest.mark.timeout(2400),
]
ON_LOCAL_AWS = {
    "use_path_style": True,
    "skip_credentials_validation": True,
    "skip_requesting_account_id": True,
    "skip_metadata_api_check": True,
    "skip_region_validation": True,
}
# As the local AWS has PostgreSQL 15 alone, and nothing here is worth its protection.
STAGING = {
    **ENVIRONMENT,
    "protected": False,
    "stop_on_alarms": True,
    "database": {"insights": False, "version": "15"},
    "second_region": True,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("stacks")) as home, local_aws(home.root) as server:
        server.client("s3").create_bucket(Bucket="team-terraform-state")
        yield server


@pytest.fixture(scope="module")
def make(server, tmp_path_factory):
    """Return the port for one of the stacks in a workspace."""
    folder = tmp_path_factory.mktemp("applied")
    shutil.copytree(AWS, folder / "source" / "aws")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**variables_for(folder), **variables(server.url)}.items():
            patch.setenv(name, value)

        def port(stack, environment, given):
            config = Infrastructure(
                terraform=f"aws/{stack}",
                variables={**given, "aws_endpoint": server.url},
                backend={
                    **ON_LOCAL_AWS,
                    "bucket": "team-terraform-state",
                    "key": f"shop/{stack}.tfstate",
                    "region": "us-east-1",
                },
            )
            return TerraformInfrastructure(
                config, StackPlace("shop", environment, "run-1", folder / "source", folder / "home")
            )

        yield port


def timed(record_property, name, act):
    started = time.monotonic()
    result = act()
    record_property(f"{name}_seconds", round(time.monotonic() - started, 1))
    return result


@pytest.mark.parametrize("deployer", ["ecs", "codedeploy"])
def test_an_environment_is_made_found_unchanged_and_destroyed(deployer, server, make, record_property):
    given = {**STAGING, "deployer": deployer, "cidr": "10.7.0.0/16"}
    port, before = make("environment", f"by-{deployer}", given), what_is_left(server)

    planned = timed(record_property, "plan", port.plan)
    timed(record_property, "apply", lambda: port.apply(planned))
    again = timed(record_property, "plan_again", port.plan)
    drift, outputs = port.drift(), port.outputs()
    seen = look_at(task_looks(server.access(), settings_of(outputs)))
    services = server.client("ecs").describe_services(
        cluster=outputs["service"].value["cluster"], services=["web", "api", "worker"]
    )["services"]
    destruction = port.plan(destroy=True)
    timed(record_property, "destroy", lambda: port.apply(destruction))

    record_property("resources", len(planned.plan.changes))
    assert len(planned.plan.changes) > 90
    assert [str(one) for one in again.plan.changes] == []
    assert again.plan.changes_anything is False
    assert drift == ()
    assert [one for one in seen if not one.is_well] == []
    assert {one["desiredCount"] for one in services} == {0}
    assert outputs["database"].value["host"]
    second = second_region_of(outputs)
    assert (second.region, second.lacks, second.tasks.public_address) == ("us-west-2", "", True)
    assert outputs["auth"].value["jwks"].endswith("/.well-known/jwks.json")
    assert set(destruction.plan.protected) >= {'module.storage.aws_s3_bucket.one["audit"]'}
    name = outputs["database"].value["identifier"]
    assert what_is_left(server) == [*before, f"snapshot {name}-final"]
    server.client("rds").delete_db_snapshot(DBSnapshotIdentifier=f"{name}-final")


def test_what_environments_share_is_made_found_unchanged_and_destroyed(server, make, record_property):
    port = make("shared", "shared", {**SHARED, "force_destroy": True})

    before = what_is_left(server)
    planned = timed(record_property, "plan", port.plan)
    timed(record_property, "apply", lambda: port.apply(planned))
    again = port.plan()
    store = port.outputs()["store"].value
    lock = server.client("s3").get_object_lock_configuration(Bucket="team-evidence")
    port.apply(port.plan(destroy=True))

    assert [str(one) for one in again.plan.changes] == []
    assert again.plan.changes_anything is False
    assert store == "s3://team-evidence/headway"
    assert lock["ObjectLockConfiguration"]["ObjectLockEnabled"] == "Enabled"
    assert what_is_left(server) == before


def settings_of(outputs):
    """Return how tasks are run, from what the stack says of itself."""
    service = outputs["service"].value
    return TaskSettings(
        cluster=service["cluster"],
        subnets=tuple(service["task_subnets"]),
        security_groups=tuple(service["task_security_groups"]),
        execution_role=service["execution_role"],
        log_group=service["log_group"],
        bucket="team-terraform-state",
    )


def second_region_of(outputs):
    """Return what is known of the second region, from what the stack says of itself."""
    said = {name: one.value for name, one in outputs.items()}
    settings = EnvironmentSettings(app="shop", environment="staging", outputs=said)
    return second_settings(EcsTarget.model_validate({"kind": "ecs"}), settings)


def what_is_left(server):
    """Return what is there but for the bucket with the state."""
    client = server.client
    buckets = [one["Name"] for one in client("s3").list_buckets()["Buckets"]]
    found = [f"bucket {name}" for name in buckets if name != "team-terraform-state"]
    found += [f"database {one['DBInstanceIdentifier']}" for one in client("rds").describe_db_instances()["DBInstances"]]
    found += [f"snapshot {one['DBSnapshotIdentifier']}" for one in manual_snapshots(client)]
    found += [f"cluster {arn}" for arn in active_clusters(client("ecs"))]
    found += [
        f"balancer {one['LoadBalancerName']}" for one in client("elbv2").describe_load_balancers()["LoadBalancers"]
    ]
    found += [f"repository {one['repositoryName']}" for one in client("ecr").describe_repositories()["repositories"]]
    found += [f"vault {one['BackupVaultName']}" for one in client("backup").list_backup_vaults()["BackupVaultList"]]
    return found + [
        f"role {one['RoleName']}" for one in client("iam").list_roles()["Roles"] if "shop" in one["RoleName"]
    ]


def active_clusters(ecs):
    """Return those that are there: AWS tells of deleted ones for a while, as INACTIVE."""
    arns = ecs.list_clusters()["clusterArns"]
    return [one["clusterArn"] for one in ecs.describe_clusters(clusters=arns)["clusters"] if one["status"] == "ACTIVE"]


def manual_snapshots(client):
    return client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
