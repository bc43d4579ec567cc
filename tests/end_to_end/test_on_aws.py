"""A platform whose images are in ECR and whose state is in S3, on a local AWS: delivered, unchanged, back and gone."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import boto3
import httpx
import pytest

from delivery.aws.access import AwsAccess
from delivery.aws.jobs import EcsJobs
from delivery.aws.rds import RdsDatabase, RdsSettings
from delivery.aws.s3_store import S3Store
from delivery.changes.migration import check_migration, migration_job
from delivery.docker.engine.client import connect
from delivery.opening import open_services
from delivery.ports.database import DatabaseAccess
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.checks import CommandCheck
from delivery.spec.configuration import load_app
from delivery.spec.matrix import cells_of
from delivery.state import open_registry
from delivery.testing.acceptance import accept
from delivery.testing.cell_run import CellRun
from delivery.testing.checks import run_command
from tests.end_to_end.conftest import remove_platform
from tests.end_to_end.hello import change, greeting
from tests.end_to_end.load import load_on
from tests.end_to_end.project import EXAMPLES, HANGS_SECONDS, Project
from tests.support.aws_room import INSTANCE, make_room
from tests.support.builds import requested
from tests.support.platforms import free_port, new_home

pytestmark = [
    pytest.mark.docker,
    pytest.mark.long,
    pytest.mark.xdist_group("end-to-end-aws"),
    pytest.mark.timeout(HANGS_SECONDS),
]
BUCKET, TOKEN = "team-delivery", "canary-1b3f5d"


class OnAws:
    """The smallest application, and clients of the AWS that its platform uses."""

    def __init__(self, project: Project, told: dict[str, str]) -> None:
        self.project, self.told = project, told

    def client(self, service: str):
        keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
        return boto3.client(service, endpoint_url=self.told["AWS_ENDPOINT_URL"], **keys)


@pytest.fixture(scope="module")
def on_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnAws]:
    folder = tmp_path_factory.mktemp("aws")
    project = Project(new_home(folder / "home").root, folder / "app", free_port())
    project.copy_example("hello")
    up = project.headway("up", "--aws", "--json")
    assert up.returncode == 0, up.stderr
    found = OnAws(project, json.loads(up.stdout)["aws"])
    found.client("s3").create_bucket(Bucket=BUCKET)
    found.client("secretsmanager").create_secret(Name="hello/api", SecretString=json.dumps({"token": TOKEN}))
    assert project.headway("down").returncode == 0
    project.more |= {"HEADWAY_STORE": f"s3://{BUCKET}/headway", "HEADWAY_REGISTRY": "ecr://team"}
    secret = "secrets: {TOKEN: 'aws-secretsmanager:hello/api#token'}"
    again = project.headway("up", "--aws", "--json")
    assert again.returncode == 0, again.stderr
    project.describe(f"  production: {{target: {{port: PORT}}, watch: {{seconds: 1}}, {secret}}}\n")
    yield found
    remove_platform(project)


def test_a_delivery_finds_images_secrets_and_state_on_aws_and_a_release_goes_out_and_back(on_aws: OnAws) -> None:
    project = on_aws.project
    first = project.headway("run")
    assert first.returncode == 0, first.stdout + first.stderr
    again, said = project.headway("run"), greeting(project)
    change(project, f"{said} again")
    with load_on(project.url(), path="/Ada", post=False) as counts:
        second = project.headway("run")
        new = greeting(project)
        back = project.headway("rollback", "--app", "hello")

    store = S3Store(on_aws.client("s3"), BUCKET, "headway/store")
    [live, *_] = sorted(key for key in store.keys("releases/hello") if key.endswith("release.json"))
    release = json.loads(store.get(live))
    images = on_aws.client("ecr").describe_images(repositoryName="team/hello/web")["imageDetails"]
    assert (again.returncode, second.returncode, back.returncode) == (0, 0, 0), second.stderr + back.stderr
    assert "unchanged" in again.stdout
    assert (new, greeting(project)) == (f"{said} again", said)
    assert counts.failures == []
    assert release["images"]["web"]["digest"] in {one["imageDigest"] for one in images}
    assert f"report        s3://{BUCKET}/headway/store/runs/" in second.stdout
    assert {"runs", "releases", "journal"} <= {key.partition("/")[0] for key in store.keys("")}
    assert not (project.home / "store").exists()
    assert not (project.home / "leases").exists()


def test_what_ecrs_own_scan_alone_found_keeps_a_revision_out_where_it_counts(on_aws: OnAws) -> None:
    project, said = on_aws.project, greeting(on_aws.project)
    one = {"name": "CVE-2026-0001", "severity": "CRITICAL", "attributes": [{"key": "package_name", "value": "libx"}]}
    found = {"results": [{"repositoryName": "team/hello/web", "imageScanFindings": {"findings": [one]}}]}
    results = f"{on_aws.told['AWS_ENDPOINT_URL']}/moto-api/static/ecr/scan-finding-results"
    httpx.post(results, json=found, trust_env=False).raise_for_status()
    project.edit("headway.yaml", "scan: {when_inconclusive: allow}", "scan: {when_inconclusive: allow, registry: add}")
    change(project, f"{said} of the scan")

    refused = project.headway("run")

    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "CVE-2026-0001 in libx (whether there is a fix is not known)" in refused.stderr
    assert greeting(project) == said


def test_a_secret_of_secrets_manager_is_in_nothing_that_the_platform_keeps(on_aws: OnAws) -> None:
    store = S3Store(on_aws.client("s3"), BUCKET)
    kept = {key: store.get(key) for key in store.keys("")}
    files = {
        path: path.read_bytes() for path in on_aws.project.home.rglob("*") if path.is_file() and "aws" not in path.parts
    }

    assert [key for key, content in kept.items() if TOKEN.encode() in content] == []
    assert [path for path, content in files.items() if TOKEN.encode() in content] == []
    assert len(kept) > 20
    assert len(files) > 20


ASKS = """
fetch(process.env.BASE_URL + '/healthz').then(answer => process.exit(answer.ok ? 0 : 1))
"""


def served(on_aws: OnAws, room: SimpleNamespace, image: str, access: DatabaseAccess) -> str:
    """Run the backend as a task with its database's address by reference, and return where tasks reach it."""
    ecs = on_aws.client("ecs")
    url = access.facts()["database.url"].get_secret_value()
    secret = on_aws.client("secretsmanager").create_secret(Name="taskmanager/url", SecretString=url)["ARN"]
    definition = ecs.register_task_definition(
        family="backend",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        executionRoleArn=room.settings.execution_role,
        containerDefinitions=[
            {"name": "web", "image": image, "secrets": [{"name": "DATABASE_URL", "valueFrom": secret}]}
        ],
    )["taskDefinition"]["taskDefinitionArn"]
    network = {"subnets": [*room.settings.subnets], "securityGroups": [*room.settings.security_groups]}
    [task] = ecs.run_task(
        cluster="shop",
        taskDefinition=definition,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": network},
    )["tasks"]
    ecs.get_waiter("tasks_running").wait(cluster="shop", tasks=[task["taskArn"]], WaiterConfig={"Delay": 1})
    [task] = ecs.describe_tasks(cluster="shop", tasks=[task["taskArn"]])["tasks"]
    details = {one["name"]: one["value"] for one in task["attachments"][0]["details"]}
    return f"http://{details['privateIPv4Address']}:3000"


def found_anywhere(on_aws: OnAws, password: str, folder: Path) -> list[str]:
    """Return where a password is that shall be in Secrets Manager and the database alone."""
    ecs, logs, store = on_aws.client("ecs"), on_aws.client("logs"), S3Store(on_aws.client("s3"), BUCKET)
    arns = [
        arn
        for status in ("ACTIVE", "INACTIVE")
        for arn in ecs.list_task_definitions(status=status)["taskDefinitionArns"]
    ]
    kept = {arn: str(ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]) for arn in arns}
    kept |= {key: store.get(key).decode(errors="replace") for key in store.keys("")}
    streams = logs.describe_log_streams(logGroupName="/headway/shop")["logStreams"]
    for name in (one["logStreamName"] for one in streams):
        kept[name] = str(logs.get_log_events(logGroupName="/headway/shop", logStreamName=name)["events"])
    files = [path for root in (folder, on_aws.project.home) for path in root.rglob("*") if path.is_file()]
    kept |= {str(path): path.read_bytes().decode(errors="replace") for path in files if "aws" not in path.parts}
    for container in connect().containers.list(all=True):  # what programs were started with, not what ECS gave them
        kept[container.name] = str(container.attrs["Config"]["Cmd"]) + str(container.attrs["Config"]["Labels"])
        kept[f"image of {container.name}"] = str(connect().api.history(container.attrs["Image"]))
    assert len(arns) > 3
    assert len(streams) > 3
    return [name for name, content in kept.items() if password in content]


@pytest.fixture
def room(on_aws: OnAws, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What an environment on AWS has for programs beside it: a cluster, and an instance of RDS."""
    for name, value in {**on_aws.told, "HEADWAY_HOME": str(on_aws.project.home)}.items():
        monkeypatch.setenv(name, value)
    settings = make_room(on_aws.client, BUCKET)
    on_aws.client("rds").create_db_instance(**INSTANCE, ManageMasterUserPassword=True)
    named = EnvironmentSettings(app="taskmanager", environment="production")
    jobs = EcsJobs(AwsAccess(), settings, named)
    database = RdsDatabase(AwsAccess(), jobs, named, RdsSettings("shop"), "run-1")
    return SimpleNamespace(jobs=jobs, database=database, settings=settings)


def test_the_examples_images_migrate_check_and_accept_as_tasks(
    on_aws: OnAws, room: SimpleNamespace, tmp_path: Path
) -> None:
    example = EXAMPLES / "taskmanager"
    app, builder = load_app(example / "headway.yaml"), open_services(open_registry("ecr://team")).builder
    built = {
        name: builder.build(requested(example, image, name=name, repository=f"taskmanager/{name}"), lambda _: None).ref
        for name, image in {"backend": app.images["backend"], "suite-postman": app.suites["postman"].build}.items()
    }
    images = {name: builder.registry.reference(ref) for name, ref in built.items()}

    access = room.database.ensure()
    assert app.database
    assert app.database.migrate
    job = migration_job(app.database.migrate, access, images["backend"], run="run-1", log=tmp_path / "migrate.log")
    check_migration(app.database.migrate, room.jobs.run(job))
    base_url = served(on_aws, room, images["backend"], access)
    problem = run_command(
        room.jobs,
        CommandCheck(image="backend", command=["node", "-e", ASKS]),
        "production",
        image=images["backend"],
        base_url=base_url,
        run="run-1",
        log=tmp_path / "check.log",
    )
    [cell] = cells_of("postman", app.suites["postman"])
    run = CellRun(app, cell, images, "run-1", tmp_path / "suite.log", tmp_path / "reports")
    result = accept(room.jobs, run, base_url)
    store = S3Store(on_aws.client("s3"), BUCKET, "headway/store")
    kept = [store.put(f"runs/run-1/cells/{path.name}", path.read_bytes()) for path in (tmp_path / "reports").iterdir()]

    assert problem == ""
    assert (result.outcome, result.junit_found) == ("passed", True), (result.problem, result.last_lines)
    assert result.tests > 3
    assert any(one.startswith(f"s3://{BUCKET}/headway/store/runs/run-1/cells/") for one in kept)
    assert all("@sha256:" in image and "/team/taskmanager/" in image for image in images.values())
    assert found_anywhere(on_aws, access.password.get_secret_value(), tmp_path) == []


def test_a_bucket_that_is_not_there_is_told_before_anything_is_delivered(on_aws: OnAws, tmp_path: Path) -> None:
    more = {**on_aws.project.more, **on_aws.told, "HEADWAY_STORE": "s3://nobodys-bucket/headway"}
    elsewhere = replace(on_aws.project, home=new_home(tmp_path / "home").root, more=more)

    told = elsewhere.headway("run")

    assert told.returncode == 2
    assert "HEADWAY_STORE: bucket nobodys-bucket: there is none of that name" in told.stderr
    assert "next: aws s3 mb s3://nobodys-bucket --region us-east-1" in told.stderr
