"""How requests come to the services of an environment: what its infrastructure says of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from delivery.errors import Misconfigured
from delivery.ports.settings import EnvironmentSettings

NEEDED = ("blue", "green", "production_rule", "test_rule")


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


def ways_of(settings: EnvironmentSettings) -> Ways:
    """Return what the output `service` tells; Misconfigured, with what is missing, for one that does not fit."""
    told = settings.outputs.get("service") or {}
    where = f"output service of the infrastructure of {settings.environment}"
    listed = told.get("services") if isinstance(told, Mapping) else None
    if not isinstance(listed, Mapping) or not listed:
        raise Misconfigured(f"{where}.services", "is not told", "services with their rules, as infra/aws has them")
    found = {str(name): _way(str(name), one, where) for name, one in listed.items()}
    names = ("url", "test_url", "traffic_role", "codedeploy_app", "codedeploy_hook", "codedeploy_queue")
    alarms = settings.outputs.get("alarms") or ()
    url, test_url, role, application, hook, queue = (str(told.get(name) or "") for name in names)
    return Ways(found, url, test_url, role, application, hook, queue, tuple(map(str, alarms)))


def _way(name: str, told: Any, where: str) -> ServiceWay:
    if not isinstance(told, Mapping) or not told.get("service"):
        raise Misconfigured(f"{where}.services.{name}", repr(told), "an object that names its service")
    if not told.get("port"):
        return ServiceWay(name, str(told["service"]))
    if missing := [key for key in NEEDED if not told.get(key)]:
        raise Misconfigured(f"{where}.services.{name}", f"lacks {', '.join(missing)}", ", ".join(NEEDED))
    groups = (str(told["blue"]), str(told["green"]))
    service = str(told["service"])
    group = str(told.get("deployment_group") or service)
    return ServiceWay(name, service, groups, str(told["production_rule"]), str(told["test_rule"]), group)
