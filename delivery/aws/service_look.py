"""One environment whose services ECS deploys, looked at: which release has which tasks, and which users; and what
speaks against a deployment.
"""

from dataclasses import replace
from functools import cached_property
from typing import Any

from delivery.aws.cloudwatch_metrics import CloudWatchMetrics
from delivery.aws.codedeploy_preflight import check_group
from delivery.aws.codedeploy_rollouts import CodeDeployRollouts
from delivery.aws.derived_definition import main_container
from delivery.aws.described_service import described_service
from delivery.aws.ecs_rollouts import EcsRollouts
from delivery.aws.ecs_verbs import EcsVerbs
from delivery.aws.failures import aws_errors
from delivery.aws.instances import Instance, routes_of
from delivery.aws.questions import ask_at
from delivery.aws.rollouts import Rollouts
from delivery.aws.service_preflight import check_way, weights_of
from delivery.aws.service_ways import ServiceWay, Ways, ways_of
from delivery.aws.target_record import SlotRecord, TargetRecord
from delivery.aws.tasks import Task
from delivery.errors import Misconfigured
from delivery.ports.slots import Colour, other
from delivery.releases.release import Release
from delivery.spec.answer import Answer
from delivery.traffic.served import routed_to
from delivery.traffic.watching import Metrics


def with_program(task: Task, service: str) -> Task:
    """Return a task with the name of the container that is the service itself."""
    return replace(task, program=main_container(task.as_definition(), service, ""))


class ServiceLook(EcsVerbs):
    """The services of one environment, and what is known of them."""

    @cached_property
    def ways(self) -> Ways:
        """How requests come to each service."""
        return ways_of(self.target, self.settings)

    @cached_property
    def _by_ecs(self) -> EcsRollouts:
        return EcsRollouts(self.tasks.client, self.tasks.settings.cluster, self.environment, self.ways)

    @cached_property
    def _by_codedeploy(self) -> CodeDeployRollouts:
        return CodeDeployRollouts(self.access, self.tasks.settings.cluster, self.ways, self.environment)

    def rollouts(self, way: ServiceWay) -> Rollouts:
        """Return the deployments of a service: by CodeDeploy when it is to, and there is traffic to move."""
        return self._by_codedeploy if self.target.deployer == "codedeploy" and way.is_reached else self._by_ecs

    def record(self) -> TargetRecord:
        """Return what is known, with the shares that the load balancer's rule has."""
        found = self.book.read()
        if not found.slots:
            return found
        way = self.entrance(found)
        groups, weights = self._groups_of(found, way), self.weights(way)
        return found.model_copy(update={"shares": {one: weights.get(groups[one], 0) for one in found.slots}})

    def _groups_of(self, record: TargetRecord, way: ServiceWay) -> dict[Colour, str]:
        """Return slot → the target group its tasks of a service are in; empty for one that has none."""
        groups = self.rollouts(way).groups(way)
        return {colour: groups.get(one.definitions.get(way.name, ""), "") for colour, one in record.slots.items()}

    def instances(self, record: TargetRecord) -> list[Instance]:
        """Return the tasks of both slots, numbered in the order in which they were made."""
        found = []
        for name in dict.fromkeys(name for slot in record.slots.values() for name in slot.services):
            tasks = self.tasks.of_service(self.ways.of(name).service)
            for colour, slot in record.slots.items():
                own = [one for one in tasks if one.definition == slot.definitions.get(name)]
                own = [one for one in own if one.found["desiredStatus"] != "STOPPED"]
                for number, task in enumerate(sorted(own, key=lambda one: (one.found["createdAt"], one.arn)), 1):
                    file = slot.services[name]
                    found.append(Instance(with_program(task, name), colour, name, number, slot.release, file))
        return sorted(found, key=lambda one: (one.colour, one.service, one.number))

    def metrics(self, record: TargetRecord) -> Metrics:
        """Return what CloudWatch counts of the service that users reach first."""
        way = self.entrance(record)
        balancer = "/".join(way.production_rule.partition(":listener-rule/")[2].split("/")[:3])
        named = {colour: group for colour, group in self._groups_of(record, way).items() if group}
        return CloudWatchMetrics(self.access.client("cloudwatch"), balancer, named)

    def fault(self, colour: Colour) -> str:
        """Say which deployment AWS took back, for an alarm or because somebody stopped it, or which instance ended."""
        for name, definition in self.book.read().slots[colour].definitions.items():
            way = self.ways.of(name)
            found = self.rollouts(way).find(way, definition)
            if found and not found.has_held:
                return self.rollouts(way).taken_back(way, found)
        return super().fault(colour)

    def ask(self, path: str, release: Release | None = None, service: str | None = None) -> tuple[Answer, ...]:
        """GET `path` where users do, or from the tasks of `release` or of a service."""
        if release or service:
            return super().ask(path, release, service)
        return (ask_at(self.ways.url, path) if self.record().live else Answer(),)

    def address(self, release: Release | None = None) -> str:
        """Return where users reach it, where testers do before users get it, or a task of its own."""
        record = self.record()
        colour = self.colour_of(record, release) if release else record.live
        if colour is not None and record.shares.get(colour, 0) == 100:
            return self.ways.url
        if colour is not None and record.shares.get(colour, 0) == 0 and not self.is_replaced(record, colour):
            return self.ways.test_url
        return super().address(release)

    def url(self, record: TargetRecord, instances: list[Instance]) -> str | None:
        """Return where users reach what is live."""
        return self.ways.url if record.live else None

    def check_nothing_else(self, record: TargetRecord, way: ServiceWay) -> None:
        """Return when nobody else deploys a service, and what it runs is a release's or what it was made with."""
        check_way(self.access, self.tasks.settings.cluster, way, self.target.deployer)
        if self.target.deployer == "codedeploy" and way.is_reached:
            check_group(self.access, self.ways, way, self.environment.keep_warm_seconds)
        rollouts = self.rollouts(way)
        running = list(rollouts.groups(way))
        known = {slot.definitions[way.name] for slot in record.slots.values() if way.name in slot.definitions}
        if found := rollouts.open_of(way):
            raise Misconfigured(
                f"service {way.service}",
                f"deployment {found.id.rpartition('/')[2]} of {found.definition} is in progress since {found.created}",
                next_step=f"wait for its end, or: {rollouts.how_to_stop(found)}",
            )
        if known and running and not known & set(running):
            raise Misconfigured(
                f"service {way.service}",
                f"runs {', '.join(running)}, which no release of Headway made",
                next_step="let it run what was released last again, or headway remove and release anew",
            )

    def goes_on(self, record: TargetRecord, colour: Colour) -> bool:
        """Whether the deployments of a slot can still come to their end: some may not have begun."""
        for name, definition in record.slots[colour].definitions.items():
            way = self.ways.of(name)
            found = self.rollouts(way).find(way, definition)
            if found and not found.has_held:
                return False
        return True

    def is_replaced(self, record: TargetRecord, colour: Colour) -> bool:
        """Whether a slot holds what the other one took the place of."""
        after = record.slots.get(other(colour))
        return after is not None and after.sequence >= record.slots[colour].sequence and self._is_later(record, colour)

    def _is_later(self, record: TargetRecord, colour: Colour) -> bool:
        mine, after = record.slots[colour], record.slots[other(colour)]
        way = self.entrance(record)
        found = self.rollouts(way).find(way, after.definitions.get(way.name, ""))
        own = self.rollouts(way).find(way, mine.definitions.get(way.name, ""))
        return bool(found and own and found.created > own.created)

    def settled_colour(self, record: TargetRecord) -> Colour | None:
        """Return the slot of what passed every watch last."""
        return next((name for name, one in record.slots.items() if one.release.fingerprint == record.settled), None)

    def reached(self, slot: SlotRecord) -> list[ServiceWay]:
        """Return the services of a slot that a load balancer knows, in the order in which they need each other."""
        return [way for way in map(self.ways.of, slot.definitions) if way.is_reached]

    def entrance(self, record: TargetRecord) -> ServiceWay:
        """Return the way of the service that users reach first."""
        services = next(iter(record.slots.values())).services
        name = routed_to("/", routes_of(services))
        reached = [one for one in self.ways.services.values() if one.is_reached and one.name in services]
        return self.ways.of(name) if name else reached[0]

    def described(self, way: ServiceWay) -> dict[str, Any]:
        """Return a service as ECS tells of it; Misconfigured when it is not in the cluster."""
        return described_service(self.tasks.client, self.tasks.settings.cluster, way)

    def weights(self, way: ServiceWay) -> dict[str, int]:
        """Return target group → percent of users, as the production rule has it."""
        client = self.access.client("elbv2")
        with aws_errors("elbv2"):
            [rule] = client.describe_rules(RuleArns=[way.production_rule])["Rules"]
        found = weights_of(rule)
        total = sum(found.values())
        return {group: round(100 * weight / total) for group, weight in found.items() if total}
