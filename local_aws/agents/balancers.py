"""The agent of load balancers: HAProxy at the address of each, with the targets that were found healthy."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from moto.elbv2.models import FakeLoadBalancer, FakeTargetGroup

from delivery.changes.ledger import LABEL_PLATFORM, LABEL_ROLE
from delivery.docker.engine.client import connect
from delivery.docker.engine.packing import packed
from delivery.docker.images.bases import resolve_base
from local_aws.agents.agent import Agent, log
from local_aws.agents.answers import Ear
from local_aws.agents.balancer_config import Listener, Rule, Target, Told, configuration
from local_aws.agents.gateway import own_address
from local_aws.installation import Installation
from local_aws.network import LABEL_BALANCER, ensure_network
from local_aws.pace import seconds_of
from local_aws.services.elbv2 import (
    HEALTH,
    Key,
    TargetState,
    drain_seconds,
    groups_of,
    is_address,
    is_used,
    load_balancers,
    target_groups,
)

ROLE = "aws-balancer"
IMAGE, FOLDER, FILE = "haproxy:2.6", "/usr/local/etc/haproxy", "haproxy.cfg"
AT_ONCE, SWEEP_SECONDS = 16, 5.0
CHECKER = {"User-Agent": "ELB-HealthChecker/2.0"}


class BalancerAgent(Agent):
    """Compares the records of load balancers with what runs, and asks targets how they are."""

    def __init__(self, here: Installation) -> None:
        super().__init__("balancers")
        self._here, self._applied = here, dict[str, str]()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="target-health")
        # Each question has a connection of its own, as AWS's has.
        self._client = httpx.Client(
            trust_env=False, headers=CHECKER, limits=httpx.Limits(max_keepalive_connections=0, max_connections=AT_ONCE)
        )
        self._ear, self._address = Ear(), ""
        self._asked = set[Key]()
        self._swept = 0.0

    def look(self) -> None:
        """Ask targets that are due, let those that have drained go, and bring every load balancer up to date."""
        self._ask_targets()
        wanted = {one.arn: one for one in load_balancers() if is_address(one.dns_name)}
        for arn, balancer in wanted.items():
            try:
                self._tend(arn, balancer)
            except Exception:  # what is wrong with one keeps no other from its requests
                log.exception("the load balancer %s: this is tried again", balancer.name)
        if time.monotonic() > self._swept + SWEEP_SECONDS and (self._here.home.root / "identity").exists():
            self._sweep(set(wanted))
            self._swept = time.monotonic()

    def end(self) -> None:
        """Stop the load balancers; the next start of the local AWS starts them again."""
        super().end()
        self._pool.shutdown(cancel_futures=True)
        self._client.close()
        self._ear.close()
        for container in self._containers() if self._applied else ():
            with suppress(NotFound):
                container.stop(timeout=1)

    def _ask_targets(self) -> None:
        now = time.monotonic()
        groups = {one.arn: one for one in target_groups()}
        for key, state in list(HEALTH.items()):
            group = groups.get(key[0])
            if group is None or (state.state == "draining" and now > state.drained_at):
                HEALTH.pop(key, None)
            elif key not in self._asked and is_due(group, state, now):
                self._asked.add(key)
                self._pool.submit(self._ask, group, key, state)

    def _ask(self, group: FakeTargetGroup, key: Key, state: TargetState) -> None:
        """Ask a target once, and say what that makes of it: so many answers in a row turn it."""
        try:
            why = problem_of(self._client, group, key[1], key[2])
            state.checked_at = time.monotonic()
            state.passed, state.failed = (0, state.failed + 1) if why else (state.passed + 1, 0)
            if why and (state.failed >= int(group.unhealthy_threshold_count) or state.state == "initial"):
                if state.failed >= int(group.unhealthy_threshold_count):
                    state.state, state.why = "unhealthy", why
            # A target that is new needs one answer alone: "After your target is registered, it must pass one health
            # check to be considered healthy."
            elif not why and (state.state == "initial" or state.passed >= int(group.healthy_threshold_count)):
                state.state, state.why = "healthy", ""
        finally:
            self._asked.discard(key)

    def _tend(self, arn: str, balancer: FakeLoadBalancer) -> None:
        listeners = listeners_of(balancer)
        used = {name for one in listeners for rule in one.rules for name in rule.groups}
        groups = {one.arn: one for one in target_groups() if one.arn in used}
        targets = {name: targets_of(name) for name in used}
        drain = max((drain_seconds(one) for one in groups.values()), default=1)
        container = self._container(arn, balancer.dns_name)
        told = Told(self._listens_at(), self._here.port, arn.partition(":loadbalancer/")[2])
        text = configuration(listeners, targets, drain_seconds=drain, told=told)
        if self._applied.get(arn) != text or container.status != "running":
            self._apply(container, text)
            self._applied[arn] = text
            balancer.state = "active"

    def _listens_at(self) -> str:
        """Return where answers are told, which are heard there then."""
        self._address = self._address or own_address()
        self._ear.open(self._address, self._here.port)
        return self._address

    def _container(self, arn: str, address: str) -> Container:
        client, name = connect(), self._here.name(f"lb-{arn.rpartition('/')[2]}")
        with suppress(NotFound):
            return client.containers.get(name)
        network = ensure_network(self._here.home)
        self._applied.pop(arn, None)
        return client.containers.create(
            resolve_base(IMAGE, home=self._here.home).used,
            ["haproxy", "-W", "-db", "-f", f"{FOLDER}/{FILE}"],
            name=name,
            labels={LABEL_PLATFORM: self._here.home.identity, LABEL_ROLE: ROLE, LABEL_BALANCER: arn},
            network=network,
            networking_config={network: client.api.create_endpoint_config(ipv4_address=address)},
            sysctls={"net.ipv4.ip_unprivileged_port_start": "0"},
            use_config_proxy=False,
        )

    def _apply(self, container: Container, text: str) -> None:
        """Put a configuration there; requests in flight are answered by the process that has them."""
        container.put_archive(FOLDER, packed(FILE, text.encode()))
        if container.status == "running":
            container.kill("SIGUSR2")
        else:
            container.start()

    def _containers(self) -> list[Container]:
        label = [f"{LABEL_PLATFORM}={self._here.home.identity}", f"{LABEL_ROLE}={ROLE}"]
        return connect().containers.list(all=True, filters={"label": label}, ignore_removed=True)

    def _sweep(self, wanted: set[str]) -> None:
        """Remove what is of no record any more."""
        for container in self._containers():
            if container.labels[LABEL_BALANCER] not in wanted:
                with suppress(NotFound, APIError):
                    container.remove(force=True, v=True)
                log.info("the load balancer %s is gone", container.labels[LABEL_BALANCER])


def is_due(group: FakeTargetGroup, state: TargetState, now: float) -> bool:
    """Whether a target is to be asked how it is: those of groups that no rule names are not."""
    interval = seconds_of(float(group.health_check_interval_seconds))
    return state.state != "draining" and now >= state.checked_at + interval and is_used(group.arn)


def listeners_of(balancer: FakeLoadBalancer) -> list[Listener]:
    """Return the listeners that speak HTTP, each with its rules in order, that for everybody last."""
    found = []
    for one in balancer.listeners.values():
        if one.protocol != "HTTP":  # there is no certificate of anybody's here
            continue
        named = sorted(
            (rule for rule in one.rules.values() if not rule.is_default), key=lambda rule: int(rule.priority)
        )
        default = [rule for rule in one.rules.values() if rule.is_default]
        rules = [
            Rule(rule.conditions, rule.actions[-1].data, groups_of(rule.actions[-1].data))
            for rule in (*named, *default)
            if rule.actions
        ]
        found.append(Listener(int(one.port), rules))
    return found


def targets_of(group: str) -> list[Target]:
    """Return the targets that get requests: the healthy ones, else, as no one is, all of them.

    "If there are no healthy targets, the load balancer routes requests to all targets."
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health.html
    """
    states = {key: state.state for key, state in HEALTH.items() if key[0] == group and state.state != "draining"}
    healthy = [key for key, state in states.items() if state == "healthy"]
    chosen: Iterator[Key] = iter(sorted(healthy or states))
    return [Target(address, port) for _, address, port in chosen]


def problem_of(client: httpx.Client, group: FakeTargetGroup, address: str, port: int) -> str:
    """Ask a target once as its group says; return why it does not pass, or nothing."""
    asked = port if group.health_check_port in (None, "traffic-port") else int(group.health_check_port)
    url = f"http://{address}:{asked}{group.health_check_path or '/'}"
    # A program answers as soon as it can, however fast time goes here.
    limit = float(group.health_check_timeout_seconds)
    try:
        status = client.get(url, timeout=limit).status_code
    except httpx.TimeoutException:
        return "Request timed out"
    except httpx.HTTPError:
        return "Health checks failed"
    allowed = (group.matcher or {}).get("HttpCode") or "200"
    passes = any(_within(status, part) for part in str(allowed).split(","))
    return "" if passes else f"Health checks failed with these codes: [{status}]"


def _within(status: int, allowed: str) -> bool:
    first, _, last = allowed.partition("-")
    return int(first) <= status <= int(last or first)
