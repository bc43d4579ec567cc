"""How requests come to the services of an environment: what headway.yaml says of each, or its infrastructure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from delivery.errors import Misconfigured
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.ecs_services import TRAFFIC, EcsService
from delivery.spec.ecs_target import EcsTarget


@dataclass(frozen=True)
class ServiceWay:
    """A service of ECS; one that a load balancer knows has two target groups, and a rule for each kind of traffic."""

    name: str
    service: str
    groups: tuple[str, ...] = ()
    production_rule: str = ""
    test_rule: str = ""
    deployment_group: str = ""  # of CodeDeploy; the service's name unless it is told

    @property
    def is_reached(self) -> bool:
        """Whether a load balancer knows it."""
        return bool(self.groups)


@dataclass(frozen=True)
class Ways:
    """All services, where users and testers reach them, and whom ECS shifts traffic as.

    `application`, `hook` and `queue` are CodeDeploy's: the function `hook` says on the queue that a deployment waits.
    `alarms` stop a release.
    """

    services: Mapping[str, ServiceWay]
    url: str
    test_url: str
    traffic_role: str
    application: str = ""
    hook: str = ""
    queue: str = ""
    alarms: tuple[str, ...] = ()

    def of(self, service: str) -> ServiceWay:
        """Return the way of a service; Misconfigured when the infrastructure has none of it."""
        found = self.services.get(service)
        if found is None:
            known = ", ".join(self.services) or "none"
            raise Misconfigured(f"service {service}", "the environment's infrastructure has no service for it", known)
        return found


def ways_of(target: EcsTarget, settings: EnvironmentSettings) -> Ways:
    """Return what headway.yaml says, and the outputs `service` and `alarms` for the rest.

    Misconfigured, with what is missing, for an output that does not fit.
    """
    told = settings.outputs.get("service") or {}
    where = f"output service of the infrastructure of {settings.environment}"
    if not isinstance(told, Mapping):
        raise Misconfigured(where, repr(told), "an object, as infra/aws/environment has it")
    if target.services:
        told = {**told, "services": {name: _as_told(one) for name, one in target.services.items()}}
    if target.codedeploy:
        told = {**told, **{f"codedeploy_{key}": one for key, one in target.codedeploy.model_dump().items()}}
    listed = told.get("services")
    if not isinstance(listed, Mapping) or not listed:
        allowed = "services with their rules, as infra/aws has them, or target.services in headway.yaml"
        raise Misconfigured(f"{where}.services", "is not told", allowed)
    names = ("codedeploy_app", "codedeploy_hook", "codedeploy_queue")
    application, hook, queue = (str(told.get(name) or "") for name in names)
    return Ways(
        services={str(name): _way(str(name), one, where) for name, one in listed.items()},
        url=str(target.url or told.get("url") or ""),
        test_url=str(target.test_url or told.get("test_url") or ""),
        traffic_role=str(target.traffic_role or told.get("traffic_role") or ""),
        application=application,
        hook=hook,
        queue=queue,
        alarms=tuple(map(str, target.alarms or settings.outputs.get("alarms") or ())),
    )


def _as_told(service: EcsService) -> dict[str, Any]:
    """Return a service of headway.yaml as an output has it: with `port` where requests come to it."""
    return {**service.model_dump(), "port": bool(service.blue)}


def _way(name: str, told: Any, where: str) -> ServiceWay:
    if not isinstance(told, Mapping) or not told.get("service"):
        raise Misconfigured(f"{where}.services.{name}", repr(told), "an object that names its service")
    if not told.get("port"):
        return ServiceWay(name, str(told["service"]))
    if missing := [key for key in TRAFFIC if not told.get(key)]:
        raise Misconfigured(f"{where}.services.{name}", f"lacks {', '.join(missing)}", ", ".join(TRAFFIC))
    groups = (str(told["blue"]), str(told["green"]))
    service = str(told["service"])
    group = str(told.get("deployment_group") or service)
    return ServiceWay(name, service, groups, str(told["production_rule"]), str(told["test_rule"]), group)
