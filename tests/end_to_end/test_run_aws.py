"""`make run-aws`: an account's share, two environments by Terraform, a delivery into them, and both gone again."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import boto3
import httpx
import pytest

from tests.architecture.sources import ROOT
from tests.end_to_end.conftest import remove_platform
from tests.end_to_end.project import HANGS_SECONDS, Project
from tests.infra.test_aws_applied import active_clusters
from tests.support.ecs_service import load
from tests.support.platforms import free_port, new_home
from tests.support.stacks import needs_terraform
from tests.support.terraform_mirror import needs_provider, variables_for

pytestmark = [
    needs_terraform,
    needs_provider,
    pytest.mark.docker,
    pytest.mark.long,
    pytest.mark.xdist_group("local-aws-stacks"),
    pytest.mark.timeout(3 * HANGS_SECONDS),
]
LOCAL = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
SCRIPT = ROOT / "infra" / "run-aws.sh"
BOTH = ("aws-staging", "aws-production")  # the first by CodeDeploy, the second by ECS itself
# Time goes slower than is usual here: a hook of AWS waits for a quarter of an hour, and so may a machine that is busy.
ON_AWS = {
    "HEADWAY_STORE": "s3://taskmanager-evidence/headway",
    "HEADWAY_REGISTRY": "ecr://",
    "HEADWAY_LOCAL_AWS_MINUTE": "15",
}


class Delivered:
    """The example on a local AWS, and what the script said on its way there."""

    def __init__(self, project: Project, said: str) -> None:
        self.project, self.said = project, said

    def headway(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.project.headway(*arguments, timeout=1200)

    def client(self, service: str):
        port = (self.project.home / "daemons" / "aws.port").read_text()
        return boto3.client(service, endpoint_url=f"http://127.0.0.1:{port}", **LOCAL)

    def outputs(self, environment: str) -> dict[str, object]:
        s3 = self.client("s3")
        below = f"headway/store/outputs/taskmanager/{environment}/"
        found = s3.list_objects_v2(Bucket="taskmanager-evidence", Prefix=below)["Contents"]
        newest = max(found, key=lambda one: one["Key"])["Key"]
        return dict(json.loads(s3.get_object(Bucket="taskmanager-evidence", Key=newest)["Body"].read()))


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivered]:
    folder = tmp_path_factory.mktemp("run-aws")
    more = {**variables_for(folder), "EXAMPLE": str(folder / "app"), **ON_AWS}
    project = Project(new_home(folder / "home").root, folder / "app", free_port(), more=more)
    project.copy_example("taskmanager")
    env = {name: value for name, value in project.env.items() if not name.startswith("AWS_")}
    done = subprocess.run([SCRIPT], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    yield Delivered(project, done.stdout + done.stderr)
    remove_platform(project)


def url_of(delivered: Delivered, environment: str) -> str:
    """Return where users reach an environment: its load balancer."""
    return str(delivered.outputs(environment)["service"]["url"])


def token_of(delivered: Delivered, environment: str) -> str:
    """Sign somebody in at the pool of an environment, and return what it gave them."""
    cognito, auth = delivered.client("cognito-idp"), delivered.outputs(environment)["auth"]
    pool = str(auth["issuer"]).rpartition("/")[2]
    user = {"UserPoolId": pool, "Username": "ada@example.org"}
    cognito.admin_create_user(**user, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(**user, Password="A-long-password-1", Permanent=True)
    signed_in = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=str(auth["audience"]),
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": user["Username"], "PASSWORD": "A-long-password-1"},
    )
    return str(signed_in["AuthenticationResult"]["IdToken"])


def test_the_release_runs_in_both_environments_by_the_digest_that_ecr_has(delivered: Delivered) -> None:
    images = delivered.client("ecr").describe_images(repositoryName="taskmanager/backend")["imageDetails"]
    urls = [url_of(delivered, name) for name in BOTH]
    pages = [httpx.get(url, trust_env=False) for url in urls]
    versions = [httpx.get(f"{url}/version", trust_env=False).json() for url in urls]

    assert {one["digest"] for one in versions} == {one["imageDigest"] for one in images}
    assert {one["revision"] for one in versions} == {delivered.project.git("rev-parse", "HEAD")}
    assert [page.status_code for page in pages] == [200, 200]
    assert re.search(r"delivery: \d+ s", delivered.said)


def test_a_second_release_and_its_rollback_cost_no_user_a_request_and_leave_nothing_to_plan(
    delivered: Delivered,
) -> None:
    page = delivered.project.folder / "frontend" / "public" / "index.html"
    page.write_text(page.read_text().replace("</body>", "<!-- the second --></body>"))
    before = delivered.project.git("rev-parse", "HEAD")
    second, urls = delivered.project.commit("Say that this is the second"), [url_of(delivered, one) for one in BOTH]

    def revisions() -> list[str]:
        return [str(httpx.get(f"{url}/version", trust_env=False).json()["revision"]) for url in urls]

    with ExitStack() as users:
        loads = {
            f"{url}{path}": users.enter_context(load(f"{url}{path}", 1)) for url in urls for path in ("/version", "/")
        }
        released = delivered.headway("run", "--environment", "aws-production")
        live = revisions()
        back = [delivered.headway("rollback", "--environment", name) for name in BOTH]
        again = revisions()
    plan = delivered.headway("plan", "--environment", "aws-production")

    for done in (released, *back):
        assert done.returncode == 0, done.stdout + done.stderr
    assert (live, again) == ([second] * 2, [before] * 2)
    for where, came in loads.items():
        assert {one.split()[0] for one in came} == {"200"}, (where, came)
        assert came.total() > 100
    for name in BOTH:
        assert f"infrastructure of {name}: nothing changes" in plan.stdout, plan.stdout + plan.stderr


def test_a_plan_after_it_changes_nothing_and_a_second_run_has_nothing_to_do(delivered: Delivered) -> None:
    plan = delivered.headway("plan", "--environment", "aws-production")
    again = delivered.headway("run", "--environment", "aws-production")
    checked = delivered.headway("check", "--environment", "aws-production")

    for name in BOTH:
        assert f"infrastructure of {name}: nothing changes" in plan.stdout, plan.stdout + plan.stderr
    assert (again.returncode, "unchanged" in again.stdout) == (0, True), again.stdout + again.stderr
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_whoever_the_pool_signed_in_has_tasks_with_files_in_the_bucket_and_nobody_else_has(
    delivered: Delivered,
) -> None:
    backend = url_of(delivered, "aws-production")
    bearer = {"Authorization": f"Bearer {token_of(delivered, 'aws-production')}"}
    others = {"Authorization": f"Bearer {token_of(delivered, 'aws-staging')}"}

    task = httpx.post(f"{backend}/api/tasks", json={"title": "Buy milk"}, headers=bearer)
    where = f"{backend}/api/tasks/{task.json()['id']}/attachments"
    wanted = {"name": "list.txt", "type": "text/plain", "size": 5}
    upload = httpx.post(where, json=wanted, headers=bearer).json()["upload"]
    put = httpx.put(upload["url"], content=b"hello", headers=upload["headers"])
    back = httpx.get(httpx.get(f"{where}/list.txt", headers=bearer).headers["location"])

    assert [httpx.get(f"{backend}/api/tasks", headers=given).status_code for given in ({}, others)] == [401, 401]
    assert (task.status_code, put.status_code, back.text) == (201, 200, "hello")
    kept = delivered.client("s3").list_objects_v2(Bucket=delivered.outputs("aws-production")["storage"]["attachments"])
    assert [one["Key"] for one in kept["Contents"]] == [f"tasks/{task.json()['id']}/list.txt"]


def test_no_password_of_a_database_is_in_states_plans_or_evidence(delivered: Delivered) -> None:
    client, s3 = delivered.client("secretsmanager"), delivered.client("s3")
    values = [
        client.get_secret_value(SecretId=one["ARN"])["SecretString"] for one in client.list_secrets()["SecretList"]
    ]
    passwords = [json.loads(value)["password"] for value in values if '"password"' in value]
    kept = {
        f"{bucket}/{one['Key']}": s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
        for bucket in ("taskmanager-state", "taskmanager-evidence")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for one in page.get("Contents", ())
    }

    assert len(passwords) == 4  # of the administrator and of the application, in both environments
    assert len(kept) > 30
    assert [name for name, content in kept.items() if any(one.encode() in content for one in passwords)] == []


def test_a_change_by_hand_is_found_and_changed_back(delivered: Delivered) -> None:
    ecs, cluster = delivered.client("ecs"), delivered.outputs("aws-staging")["service"]["cluster"]
    arn = ecs.describe_clusters(clusters=[cluster])["clusters"][0]["clusterArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "owner", "value": "somebody-else"}])

    plan = delivered.headway("plan", "--environment", "aws-staging")

    assert "infrastructure of aws-staging: 1 to update" in plan.stdout, plan.stdout + plan.stderr
    assert "changed beside Headway: update module.service.aws_ecs_cluster.main" in plan.stdout


def test_destroyed_environments_leave_evidence_and_final_snapshots_alone(delivered: Delivered) -> None:
    refused = delivered.headway("destroy", "aws-staging")
    done = subprocess.run([SCRIPT, "destroy"], env=delivered.project.env, capture_output=True, text=True)

    buckets = {one["Name"] for one in delivered.client("s3").list_buckets()["Buckets"]}
    left = [
        active_clusters(delivered.client("ecs")),
        delivered.client("rds").describe_db_instances()["DBInstances"],
    ]
    assert refused.returncode == 2
    assert "there is no terminal to ask on" in refused.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    assert left == [[], []]
    assert buckets == {"taskmanager-state", "taskmanager-evidence"}
    for name in ("taskmanager-stag-final", "taskmanager-prod-final"):
        assert f"stays: snapshot {name} of the database: kept until somebody deletes it" in done.stdout
    assert done.stdout.count("stays: evidence in s3://taskmanager-evidence: not locked, kept until") == 2
