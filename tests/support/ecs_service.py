"""A service of ECS behind a load balancer, as infra/aws makes one: two target groups, a production and a test rule."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from delivery.waiting import until

PORTS = itertools.count(8100, 2)
SERVER = """
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        kind, text = sys.argv[1:]
        time.sleep(0.8 if kind == "slow" and self.path != "/healthz" else 0)
        status = 503 if kind == "sick" else 500 if kind == "failing" and self.path != "/healthz" else 200
        self.send_response(status); self.send_header("Content-Length", str(len(text))); self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *args): pass
if sys.argv[1] == "crashing": sys.exit(3)
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""
HEALTH = {
    "HealthCheckPath": "/healthz",
    "HealthCheckIntervalSeconds": 5,
    "HealthyThresholdCount": 2,
    "UnhealthyThresholdCount": 2,
}


@dataclass
class Balancer:
    """A load balancer that services share."""

    client: Callable[[str], Any]
    vpc: str
    subnets: list[str]
    arn: str = field(init=False)
    address: str = field(init=False)

    def __post_init__(self) -> None:
        made = self.client("elbv2").create_load_balancer(Name="shared", Subnets=self.subnets)["LoadBalancers"][0]
        self.arn, self.address = made["LoadBalancerArn"], made["DNSName"]

    def remove(self) -> None:
        self.client("elbv2").delete_load_balancer(LoadBalancerArn=self.arn)


@dataclass
class Way:
    """How requests come to one service: ports of the load balancer, rules, and both target groups."""

    balancer: Balancer
    name: str
    ports: dict[str, int]
    listeners: dict[str, str]
    rules: dict[str, str]
    groups: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://{self.balancer.address}:{self.ports['production']}"

    @property
    def test_url(self) -> str:
        return f"http://{self.balancer.address}:{self.ports['test']}"

    def shares(self, kind: str = "production") -> dict[str, int]:
        """Return colour → weight of a rule."""
        elb = self.balancer.client("elbv2")
        [rule] = elb.describe_rules(RuleArns=[self.rules[kind]])["Rules"]
        found = {one["TargetGroupArn"]: one["Weight"] for one in rule["Actions"][0]["ForwardConfig"]["TargetGroups"]}
        return {colour: found.get(arn, 0) for colour, arn in self.groups.items()}

    def remove(self) -> None:
        elb = self.balancer.client("elbv2")
        for arn in self.listeners.values():
            elb.delete_listener(ListenerArn=arn)
        for arn in self.groups.values():
            elb.delete_target_group(TargetGroupArn=arn)


def make_way(balancer: Balancer, name: str, **health: Any) -> Way:
    """Make target groups, listeners and rules for a service."""
    elb, first = balancer.client("elbv2"), next(PORTS)
    asked = {"Protocol": "HTTP", "Port": 8000, "TargetType": "ip", "VpcId": balancer.vpc, **HEALTH, **health}
    groups = {
        colour: elb.create_target_group(Name=f"{name}-{colour}"[:32], **asked)["TargetGroups"][0]["TargetGroupArn"]
        for colour in ("blue", "green")
    }
    delay = [{"Key": "deregistration_delay.timeout_seconds", "Value": "10"}]
    for arn in groups.values():
        elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=delay)
    shares = [{"TargetGroupArn": arn, "Weight": 100 * (colour == "blue")} for colour, arn in groups.items()]
    ports, listeners, rules = {"production": first, "test": first + 1}, {}, {}
    for kind, port in ports.items():
        none = {"StatusCode": "404", "ContentType": "text/plain"}
        listeners[kind] = elb.create_listener(
            LoadBalancerArn=balancer.arn,
            Protocol="HTTP",
            Port=port,
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": none}],
        )["Listeners"][0]["ListenerArn"]
        rules[kind] = elb.create_rule(
            ListenerArn=listeners[kind],
            Priority=100,
            Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
            Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}],
        )["Rules"][0]["RuleArn"]
    return Way(balancer, name, ports, listeners, rules, groups)


@contextmanager
def load(url: str, threads: int = 2) -> Iterator[Counter[str]]:
    """Ask again and again, each time on a connection of its own; yield what came: `status text`."""
    came, over = Counter[str](), threading.Event()

    def ask() -> None:
        client = httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
        with client:
            while not over.is_set():
                try:
                    answer = client.get(url, timeout=20)
                    came[f"{answer.status_code} {answer.text[:20]}"] += 1
                except httpx.HTTPError as error:
                    came[type(error).__name__] += 1

    askers = [threading.Thread(target=ask) for _ in range(threads)]
    for one in askers:
        one.start()
    try:
        yield came
    finally:
        over.set()
        for one in askers:
            one.join()


def waited(look: Callable[[], Any], seconds: float = 60) -> Any:
    """Return what `look` finds as soon as it finds something."""
    found = until(look, seconds=seconds, every=0.1)
    assert found, "it did not come"
    return found
