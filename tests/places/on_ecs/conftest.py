"""A local AWS with a load balancer, and environments whose services ECS or CodeDeploy deploys."""

import secrets
from contextlib import contextmanager
from dataclasses import replace

import pytest
from pydantic import SecretStr

from delivery.docker.images.registry_state import own_registry
from delivery.ports.settings import EnvironmentSettings
from local_aws.pace import VARIABLE
from tests.places.contract import Live
from tests.places.images import pushed_images, releases_of
from tests.places.on_ecs.rooms import APPLICATION, CANARY, Opens, make_app, make_service, make_worker
from tests.support.aws_room import make_room
from tests.support.codedeploy import make_relay
from tests.support.ecs_service import Balancer, make_way
from tests.support.local_aws import local_aws

ROLE = "arn:aws:iam::123456789012:role/traffic"
MINUTE = "3"  # seconds that a minute of AWS takes, unless a module says another one


@pytest.fixture(scope="module")
def server(home, request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, getattr(request.module, "MINUTE", MINUTE))
        with local_aws(home.root) as server:
            yield server


@pytest.fixture(scope="module")
def room(server):
    server.client("s3").create_bucket(Bucket="artifacts")
    return make_room(server.client, "artifacts")


@pytest.fixture(scope="module")
def balancer(server, room):
    vpc = server.client("ec2").describe_subnets(SubnetIds=list(room.subnets))["Subnets"][0]["VpcId"]
    made = Balancer(server.client, vpc, list(room.subnets))
    yield made
    made.remove()


@pytest.fixture(scope="module")
def image(home):
    with pushed_images(home) as get:
        yield get


@pytest.fixture(scope="module")
def release(image):
    return releases_of(image)


@pytest.fixture(scope="module")
def relay(server):
    return make_relay(server.client, APPLICATION)


@pytest.fixture(scope="class")
def deployer(request):
    """Who moves traffic: what a class of tests says, or a test is told for."""
    return getattr(request.cls, "DEPLOYER", "ecs")


@pytest.fixture(scope="class")
def app(deployer):
    return make_app(deployer)


@pytest.fixture(scope="class")
def place(server, room, balancer, home, app, relay, deployer):
    @contextmanager
    def new():
        name = f"shop-{secrets.token_hex(3)}"
        way = make_way(balancer, name)
        make_service(server, room, way, deployer)
        make_worker(server, room, f"{name}-worker")
        told = {"service": name, "port": 8000, **way.groups}
        told |= {"production_rule": way.rules["production"], "test_rule": way.rules["test"]}
        service = {
            "cluster": room.cluster,
            "task_subnets": list(room.subnets),
            "task_security_groups": list(room.security_groups),
            "execution_role": room.execution_role,
            "log_group": room.log_group,
            "bucket": room.bucket,
            "traffic_role": ROLE,
            "codedeploy_app": APPLICATION,
            "codedeploy_hook": relay.function,
            "codedeploy_queue": relay.queue,
            "url": way.url,
            "test_url": way.test_url,
            "services": {"web": told, "worker": {"service": f"{name}-worker", "port": None}},
        }
        settings = EnvironmentSettings(
            app=name,
            environment="production",
            registry=own_registry(home),
            aws=server.account(),
            outputs={"service": service},
            secrets={"TOKEN": SecretStr(CANARY)},
        )
        yield Opens(app, home, settings), way
        Opens(app, home, settings)(10**6).remove()
        for service in (name, f"{name}-worker"):
            server.client("ecs").delete_service(cluster=room.cluster, service=service, force=True)
        way.remove()

    return new


@pytest.fixture
def shop(place):
    with place() as found:
        yield found


@pytest.fixture
def target(shop):
    return shop[0]


@pytest.fixture
def way(shop):
    return shop[1]


@pytest.fixture(scope="class")
def settled(app, place, release):
    with place() as (opens, _):
        opens(1).stage(app, release(1))
        opens(1).shift(release(1), 100)
        opens(1).retire(release(1))
        yield opens


@pytest.fixture
def live(settled, release):
    first = release(1)
    lease = settled(0).observe().sequence
    yield Live(settled.settings, first, lambda sequence: settled(lease + sequence))
    last = settled(lease + 9)
    for slot in last.observe().slots:
        if slot.release not in (None, first):
            last.withdraw(slot.release)
    assert [(slot.release, slot.weight) for slot in last.observe().slots if slot.release] == [(first, 100)]


@pytest.fixture
def alarmed(released, way, server):
    """The same, with alarms on what tasks answer users and how long that takes, each after one bad minute of AWS."""
    cloudwatch, names = server.client("cloudwatch"), []
    balancer = way.balancer.arn.partition(":loadbalancer/")[2]
    for colour, group in way.groups.items():
        dimensions = {"LoadBalancer": balancer, "TargetGroup": group.rpartition(":")[2]}
        told = {
            "Namespace": "AWS/ApplicationELB",
            "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        }
        metrics = {
            "errors": {"MetricName": "HTTPCode_Target_5XX_Count", "Statistic": "Sum"},
            "slow": {"MetricName": "TargetResponseTime", "ExtendedStatistic": "p95"},
        }
        for kind, metric in metrics.items():
            names.append(f"{way.name}-{colour}-{kind}")
            cloudwatch.put_metric_alarm(AlarmName=names[-1], **told, **metric)
    outputs = {**released.settings.outputs, "alarms": names}
    yield replace(released, settings=replace(released.settings, outputs=outputs))
    cloudwatch.delete_alarms(AlarmNames=names)


@pytest.fixture
def released(app, target, release):
    """An environment in which the first release is live."""
    target(1).stage(app, release(1))
    target(1).shift(release(1), 100)
    target(1).retire(release(1))
    return target
