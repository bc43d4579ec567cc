"""Releases as tasks of ECS at addresses of their own, on a local AWS."""

import json
import secrets
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr

from delivery.aws.environment import open_ecs
from delivery.aws.slot_secret import secret_of
from delivery.aws.stack_outputs import task_settings
from delivery.docker.images.registry_state import own_registry
from delivery.errors import Misconfigured, ReleaseUnhealthy
from delivery.ports.belongings import Belonging
from delivery.ports.logs import LogWish
from delivery.ports.settings import EnvironmentSettings
from delivery.ports.slots import TargetState
from delivery.spec.app import App
from delivery.spec.ecs_target import EcsTarget
from tests.places.contract import Live, TargetContract
from tests.places.images import pushed_images, releases_of
from tests.support.aws_room import make_room
from tests.support.local_aws import local_aws
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("aws-environment")]
CANARY = "canary-5d3a9c"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("platform")) as home:
        yield home


@pytest.fixture(scope="module")
def server(home):
    with local_aws(home.root) as server:
        yield server


@pytest.fixture(scope="module")
def outputs(server):
    """What the stack of an environment says of itself."""
    server.client("s3").create_bucket(Bucket="artifacts")
    room = make_room(server.client, "artifacts")
    service = {
        "cluster": room.cluster,
        "task_subnets": list(room.subnets),
        "task_security_groups": list(room.security_groups),
        "execution_role": room.execution_role,
        "log_group": room.log_group,
        "bucket": room.bucket,
    }
    return {"service": service}


@pytest.fixture(scope="module")
def image(home):
    with pushed_images(home) as get:
        yield get


@pytest.fixture(scope="module")
def release(image):
    return releases_of(image)


def make_app(**service):
    web = {"port": 8000, "health": "/healthz", "version": "/version", "stop_seconds": 2, "start_seconds": 8}
    return App.model_validate(
        {
            "app": "shop",
            "images": {"web": {}},
            "services": {"web": web | service},
            "environments": {"production": {"target": {"kind": "ecs"}}},
        }
    )


@pytest.fixture(scope="module")
def app():
    return make_app()


@pytest.fixture(scope="module")
def opens(app, server, outputs, home):
    """How an environment is opened under a lease."""

    def make(settings, sequence):
        return open_ecs(app, app.environments["production"], settings, sequence=sequence, home=home)

    return make


@pytest.fixture(scope="module")
def place(server, outputs, home, opens):
    @contextmanager
    def new():
        settings = EnvironmentSettings(
            app=f"shop-{secrets.token_hex(3)}",
            environment="production",
            registry=own_registry(home),
            aws=server.account(),
            outputs=outputs,
            secrets={"TOKEN": SecretStr(CANARY)},
        )
        yield settings
        opens(settings, 10**6).target.remove()

    return new


@pytest.fixture
def settings(place):
    with place() as settings:
        yield settings


@pytest.fixture
def target(settings, opens):
    return lambda sequence: opens(settings, sequence).target


@pytest.fixture(scope="module")
def settled(app, place, opens, release):
    with place() as settings:
        target = opens(settings, 1).target
        target.stage(app, release(1))
        target.shift(release(1), 100)
        target.retire(release(1))
        yield settings


@pytest.fixture
def live(settled, opens, release):
    first = release(1)
    lease = opens(settled, 0).target.observe().sequence
    yield Live(settled, first, lambda sequence: opens(settled, lease + sequence).target)
    last = opens(settled, lease + 9).target
    for slot in last.observe().slots:
        if slot.release not in (None, first):
            last.withdraw(slot.release)
    assert [(slot.release, slot.weight) for slot in last.observe().slots if slot.release] == [(first, 100)]


@pytest.mark.long
class TestEcs(TargetContract):
    """The whole contract, with traffic that a release has or has not: nobody shares it out between addresses."""

    STEPS = (100,)

    def serve_something_else(self, live, release):
        httpx.get(f"{live.target(2).address(release)}/stray", trust_env=False).raise_for_status()

    def what_instances_may_use(self, live, release):
        target = live.target(2)
        record = target.book.read()
        own = [one for one in target.instances(record) if one.colour == record.colour_of(release)]
        client = target.tasks.client
        asked = [client.describe_task_definition(taskDefinition=one.task.definition)["taskDefinition"] for one in own]
        return [limits_of(one["containerDefinitions"][0]) for one in asked]


def limits_of(container):
    cpu, memory = container.get("cpu"), container.get("memory")
    return cpu / 1024 if cpu else None, memory * 2**20 if memory else None


def test_a_release_runs_as_tasks_that_tell_its_digest_and_each_has_an_address(app, target, release, server):
    several = app.model_copy(
        update={"services": {"web": app.services["web"].model_copy(update={"instances": 2, "start_seconds": 60})}}
    )
    first = release(1)

    slot = target(1).stage(several, first)
    state = target(1).shift(first, 100)

    told = [json.loads(answer.body) for answer in target(1).ask("/version", first, "web")]
    assert {one.digest for one in slot.instances} == {first.images["web"].digest}
    assert {one.served_digest for one in slot.instances} == {first.images["web"].digest}
    assert told == [{"digest": first.images["web"].digest, "revision": first.revision.sha}] * 2
    assert state.url == target(1).address()
    assert httpx.get(state.url, trust_env=False).text == "1"
    assert [line.text for line in target(1).logs(LogWish(part="web", tail=1))] == ["serving good 1"] * 2


def test_what_a_task_prints_is_followed_until_it_has_ended(app, target, release):
    first = release(1)
    target(1).stage(app, first)

    lines = target(1).logs(LogWish(part="web", slot="blue", follow=True))
    begun = next(lines)
    target(1).withdraw(first)

    assert (begun.source, begun.text) == ("web-1", "serving good 1")
    assert list(lines) == []


def test_secrets_come_to_a_task_by_reference_and_stand_in_nothing_else(app, target, release, server, settings):
    target(1).stage(app, release(1))

    env = json.loads(target(1).ask("/env", release(1))[0].body)
    ecs = server.client("ecs")
    arns = ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"]
    definitions = str([ecs.describe_task_definition(taskDefinition=arn) for arn in arns])
    record = server.client("s3").get_object(Bucket="artifacts", Key=f"targets/{settings.app}.production.json")
    assert env["TOKEN"] == CANARY
    assert f"{secret_of(settings, 'blue')}-" in definitions
    assert CANARY not in definitions
    assert CANARY not in record["Body"].read().decode()
    assert len(arns) == 1


def test_a_release_that_ends_is_told_with_its_exit_code_and_what_it_printed(app, target, release, server):
    with pytest.raises(ReleaseUnhealthy, match=r"web 1 of release \w+ ended with exit code 1; .*\n(.*\n)*out of luck"):
        target(1).stage(app, release(2, kind="crashing"))

    assert target(1).withdraw(release(2, kind="crashing")).live is None
    assert target(1).belongings() == (Belonging(kind="secret", name=target(1).belongings()[0].name),)


def test_before_its_infrastructure_was_applied_an_environment_is_empty_and_says_what_is_missing(
    opens, settings, release, app
):
    opened = opens(replace(settings, outputs={}), 1)

    assert opened.target.observe() == TargetState()
    assert opened.target.belongings() == ()
    assert opened.database.find() is None
    with pytest.raises(
        Misconfigured, match=r"environments.production.target.cluster: is not said, .* no service.cluster"
    ):
        opened.target.stage(app, release(1))
    with pytest.raises(Misconfigured, match=r"environments.production.infrastructure: was not applied yet"):
        opened.database.ensure()


def test_what_a_stack_does_not_tell_is_named_and_what_headway_yaml_says_comes_first(settings):
    told = EcsTarget(kind="ecs", cluster="ours", log_group="/ours")
    without = {key: value for key, value in settings.outputs["service"].items() if key != "execution_role"}

    found = task_settings(told, settings)
    with pytest.raises(Misconfigured, match=r"target.execution_role: is not said, .* tells no service.execution_role"):
        task_settings(told, replace(settings, outputs={"service": without}))
    with pytest.raises(Misconfigured, match=r"output service of the infrastructure of production: 'text'; allowed"):
        task_settings(told, replace(settings, outputs={"service": "text"}))

    assert (found.cluster, found.log_group) == ("ours", "/ours")
    assert found.bucket == "artifacts"


def test_an_environment_without_a_database_has_no_backups(opens, settings):
    backups = opens(replace(settings, outputs={}), 1).backups

    assert (backups.take("run-1", "by hand"), backups.kept()) == (None, ())
    with pytest.raises(Misconfigured, match="backup latest of production: is not kept; allowed: none is kept"):
        backups.restore("latest", "other", "run-1")
