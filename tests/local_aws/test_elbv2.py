"""Elastic Load Balancing: requests go where listeners, rules and weights say, to targets that are well."""

import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from delivery.docker.engine.client import connect
from delivery.home import Home
from delivery.waiting import until
from local_aws.agents.balancer_config import Listener, Rule, Target, configuration
from tests.support.ecs import Tasks
from tests.support.local_aws import Server
from tests.support.platforms import own_platform

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("local-aws-tasks")]
SERVER = """
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answering = 0
    def do_GET(self):
        Handler.answering += 1
        if self.path == "/api/slow": time.sleep(3)
        body = f"{Handler.answering if self.path == '/answering' else sys.argv[1]} {self.path}".encode()
        status, Handler.answering = 200, Handler.answering - 1
        self.send_response(status); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""


@dataclass
class Place:
    """A load balancer with a listener, and two tasks in a target group each."""

    tasks: Tasks
    balancer: dict[str, Any]
    listener: str
    groups: dict[str, str]
    addresses: dict[str, str]
    client: httpx.Client

    @property
    def elb(self) -> Any:
        return self.tasks.client("elbv2")

    @property
    def url(self) -> str:
        return f"http://{self.balancer['DNSName']}"

    def share(self, **weights: int) -> None:
        """Give the groups these weights on the listener, and return once they count."""
        shares = [{"TargetGroupArn": self.groups[name], "Weight": weight} for name, weight in weights.items()]
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}
        self.elb.modify_listener(ListenerArn=self.listener, DefaultActions=[action])

    def get(self, path: str = "/") -> httpx.Response:
        return self.client.get(f"{self.url}{path}", timeout=10)

    def served(self, times: int = 30) -> Counter[str]:
        return Counter(self.get().text.split()[0] for _ in range(times))

    def health(self, group: str) -> list[dict[str, Any]]:
        return self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]

    def state(self, group: str) -> list[str]:
        return [one["TargetHealth"]["State"] for one in self.health(group)]


def group_of(elb: Any, vpc: str, name: str, **more: Any) -> str:
    asked = {"Protocol": "HTTP", "Port": 8000, "TargetType": "ip", "VpcId": vpc, "HealthCheckPath": "/"}
    quick = {"HealthCheckIntervalSeconds": 5, "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2}
    return elb.create_target_group(Name=name, **{**asked, **quick, **more})["TargetGroups"][0]["TargetGroupArn"]


@pytest.fixture(scope="module")
def place(running: Tasks):
    Home(running.server.home).identity  # noqa: B018  # so that there is something on Docker
    elb, ec2 = running.client("elbv2"), running.client("ec2")
    subnets = ec2.describe_subnets()["Subnets"][:2]
    vpc = subnets[0]["VpcId"]
    balancer = elb.create_load_balancer(Name="shop", Subnets=[one["SubnetId"] for one in subnets])["LoadBalancers"][0]
    arns = {
        name: running.run(
            running.define({"name": "web", "image": "python:3.11-alpine", "command": ["python3", "-c", SERVER, name]})
        )
        for name in ("blue", "green")
    }
    addresses = {name: address_of(running, arn) for name, arn in arns.items()}
    groups = {name: group_of(elb, vpc, f"shop-{name}") for name in addresses}
    for name, group in groups.items():
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": addresses[name], "Port": 8000}])
    shares = [{"TargetGroupArn": groups["blue"], "Weight": 100}, {"TargetGroupArn": groups["green"], "Weight": 0}]
    listener = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}],
    )["Listeners"][0]["ListenerArn"]
    client = httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
    found = Place(running, balancer, listener, groups, addresses, client)
    assert until(lambda: all(found.state(one) == ["healthy"] for one in groups.values()), seconds=60, every=0.2)
    assert until(lambda: answers(found.url), seconds=60, every=0.2)
    yield found
    client.close()
    elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
    label = {"label": f"headway.aws.balancer={balancer['LoadBalancerArn']}"}
    assert until(lambda: not connect().containers.list(all=True, filters=label), seconds=30, every=0.5)


def is_active(elb: Any, arn: str) -> bool:
    [told] = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    return told["State"]["Code"] == "active"


def answers(url: str, text: str = "") -> bool:
    with suppress(httpx.HTTPError):
        return text in httpx.get(url, trust_env=False).text
    return False


def address_of(tasks: Tasks, arn: str) -> str:
    def look() -> str:
        task = tasks.describe(arn)
        details = {one["name"]: one["value"] for one in task["attachments"][0]["details"]}
        return details.get("privateIPv4Address", "") if task["lastStatus"] == "RUNNING" else ""

    found = until(look, seconds=60, every=0.2)
    assert found
    return found


def test_requests_are_shared_by_weight_and_none_is_lost_while_weights_change(place: Place) -> None:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupTuple.html"""
    statuses, over = Counter[int](), threading.Event()

    def load() -> None:
        while not over.is_set():
            statuses[place.get().status_code] += 1

    with ThreadPoolExecutor(2) as pool:
        loads = [pool.submit(load) for _ in range(2)]
        before = place.served()
        place.share(blue=50, green=50)
        assert until(lambda: len(place.served()) == 2, seconds=20, every=0.1)
        both = place.served(60)  # of which none was asked before the change
        place.share(blue=0, green=100)
        after = until(lambda: set(found := place.served()) == {"green"} and found, seconds=20, every=0.1)
        over.set()
        for one in loads:
            one.result()
        place.share(blue=100, green=0)
        again = until(lambda: set(found := place.served()) == {"blue"} and found, seconds=20, every=0.1)

    assert set(before) == set(again) == {"blue"}

    assert min(both[name] for name in ("blue", "green")) >= 10
    assert set(after) == {"green"}
    assert set(statuses) == {200}
    assert statuses[200] > 50


def test_a_rule_comes_before_what_is_for_everybody_and_some_answers_are_nobodys(place: Place) -> None:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html"""
    fixed = {"StatusCode": "418", "ContentType": "text/plain", "MessageBody": "short and stout"}
    away = {"Protocol": "HTTPS", "Port": "443", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}"}
    empty = {key: value for key, value in fixed.items() if key != "MessageBody"}
    rules = [
        (15, ["/nothing"], {"Type": "fixed-response", "FixedResponseConfig": {**empty, "StatusCode": "404"}}),
        (10, ["/api/*"], {"Type": "forward", "TargetGroupArn": place.groups["green"]}),
        (20, ["/tea"], {"Type": "fixed-response", "FixedResponseConfig": fixed}),
        (25, ["/v1.0/*"], {"Type": "fixed-response", "FixedResponseConfig": {**fixed, "MessageBody": "one"}}),
        (30, ["/away"], {"Type": "redirect", "RedirectConfig": {**away, "StatusCode": "HTTP_301"}}),
    ]
    for priority, paths, action in rules:
        conditions = [{"Field": "path-pattern", "Values": paths}]
        place.elb.create_rule(ListenerArn=place.listener, Priority=priority, Conditions=conditions, Actions=[action])

    assert until(lambda: place.get("/away").status_code == 301, seconds=20, every=0.1)
    tea, moved = place.get("/tea"), place.get("/away?a=1")

    nothing = place.get("/nothing")
    assert (nothing.status_code, nothing.text) == (404, "")
    assert (tea.status_code, tea.text) == (418, "short and stout")
    assert moved.status_code == 301
    assert moved.headers["location"] == f"https://{place.balancer['DNSName']}:443/away?a=1"
    assert [place.get(path).text for path in ("/v1.0/a", "/v1x0/a")] == ["one", "blue /v1x0/a"]
    assert place.get("/apis").text == "blue /apis"
    assert place.get("/api/tasks").text == "green /api/tasks"


def test_a_target_that_fails_its_checks_is_told_and_gets_no_requests_beside_one_that_is_well(place: Place) -> None:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html"""
    blue, green = place.addresses["blue"], place.addresses["green"]
    place.elb.register_targets(TargetGroupArn=place.groups["blue"], Targets=[{"Id": green, "Port": 8001}])

    def told() -> dict[str, Any] | None:
        found = {one["Target"]["Port"]: one["TargetHealth"] for one in place.health(place.groups["blue"])}
        return found[8001] if found[8001]["State"] == "unhealthy" else None

    unhealthy = until(told, seconds=30, every=0.2)
    served = place.served()
    place.elb.deregister_targets(TargetGroupArn=place.groups["blue"], Targets=[{"Id": green, "Port": 8001}])

    assert unhealthy
    assert unhealthy["Reason"] == "Target.FailedHealthChecks"
    assert set(served) == {"blue"}
    assert blue != green


def test_a_target_that_goes_answers_what_is_in_flight_and_is_told_as_draining(place: Place) -> None:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html"""
    group, target = place.groups["green"], {"Id": place.addresses["green"], "Port": 8000}
    place.elb.modify_target_group_attributes(
        TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "100"}]
    )
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(place.get, "/api/slow")
        assert until(lambda: in_flight(place) > 0, seconds=10, every=0.1)
        place.elb.deregister_targets(TargetGroupArn=group, Targets=[target])
        draining = place.state(group)
        answer = slow.result()

    place.elb.register_targets(TargetGroupArn=group, Targets=[target])
    assert draining == ["draining"]
    assert answer.status_code == 200
    assert until(lambda: place.state(group) == ["healthy"], seconds=30, every=0.2)


def in_flight(place: Place) -> int:
    """Return how many requests a task answers just now, as it says itself."""
    return int(httpx.get(f"http://{place.addresses['green']}:8000/answering", trust_env=False).text.split()[0]) - 1


def test_a_group_that_no_rule_names_is_not_used(place: Place) -> None:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html"""
    vpc = place.tasks.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    group = group_of(place.elb, vpc, "alone")
    place.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": place.addresses["blue"], "Port": 8000}])

    [told] = place.health(group)

    assert (told["TargetHealth"]["State"], told["TargetHealth"]["Reason"]) == ("unused", "Target.NotInUse")


def test_the_address_of_one_that_was_just_deleted_is_not_given_again(place: Place) -> None:
    """Its requests in flight are still answered there."""
    subnets = [one["SubnetId"] for one in place.tasks.client("ec2").describe_subnets()["Subnets"][:2]]
    first, second = [], []
    for made in (first, second):
        made.append(place.elb.create_load_balancer(Name="brief", Subnets=subnets)["LoadBalancers"][0])
        assert made[0]["State"]["Code"] == "provisioning"
        assert until(lambda: is_active(place.elb, made[0]["LoadBalancerArn"]), seconds=60, every=0.2)  # noqa: B023
        place.elb.delete_load_balancer(LoadBalancerArn=made[0]["LoadBalancerArn"])

    assert first[0]["DNSName"] != second[0]["DNSName"]


def fixed(text: str) -> dict[str, Any]:
    answer = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": text}
    return {"Type": "fixed-response", "FixedResponseConfig": answer}


@pytest.mark.long
def test_after_a_kill_it_is_at_the_same_address_and_does_what_it_is_told(tmp_path):
    with own_platform(tmp_path / "home") as home:
        assert home.identity
        server = Server(home.root).start()
        elb, ec2 = server.client("elbv2"), server.client("ec2")
        subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"][:2]]
        made = elb.create_load_balancer(Name="shop", Subnets=subnets)["LoadBalancers"][0]
        arn = elb.create_listener(
            LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[fixed("one")]
        )["Listeners"][0]["ListenerArn"]

        def says(text: str) -> bool:
            return answers(f"http://{made['DNSName']}/", text)

        assert until(lambda: says("one"), seconds=30, every=0.2)
        server.stop(signal.SIGKILL)
        assert says("one")
        server.start()
        elb = server.client("elbv2")
        [again] = elb.describe_load_balancers()["LoadBalancers"]
        elb.modify_listener(ListenerArn=arn, DefaultActions=[fixed("two")])

        assert again["DNSName"] == made["DNSName"]
        assert until(lambda: says("two"), seconds=30, every=0.2)
        server.stop()


@pytest.mark.parametrize(
    ("condition", "test"),
    [
        ({"Field": "path-pattern", "Values": ["/a?/*.js"]}, r"path -m reg '^/a./.*\.js$'"),
        (
            {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.shop.example"]}},
            r"req.hdr(host),field(1,:) -m reg -i '^.*\.shop\.example$'",
        ),
        ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["PUT"]}}, "method PUT"),
        (
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Beta", "Values": ["yes"]}},
            "req.hdr(X-Beta) -m reg -i '^yes$'",
        ),
        ({"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}, "always_false"),
    ],
)
def test_a_condition_is_what_haproxy_compares_and_one_that_is_not_known_keeps_everybody_out(condition, test):
    rule = Rule([condition], {"Type": "forward", "TargetGroupArn": "a/b/tg"}, {"a/b/tg": 1})

    text = configuration([Listener(80, [rule])], {"a/b/tg": [Target("10.0.0.1", 8000)]}, drain_seconds=3)

    assert f"  acl rule-0-0 {test}\n" in text
    assert "  server 10.0.0.1-8000 10.0.0.1:8000\n" in text
