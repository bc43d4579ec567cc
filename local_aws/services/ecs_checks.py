"""What a configuration of deployments may say: else it is refused, before anything is kept of it.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

from moto.ecs.exceptions import ECSException
from moto.ecs.models import Service

from local_aws.services.cloudwatch import alarms_in_alarm
from local_aws.services.ecs_running import invalid
from local_aws.services.ecs_stages import HOOKED, NEVER_PAUSED

Told = Mapping[str, Any]
STRATEGIES = ("ROLLING", "BLUE_GREEN", "LINEAR", "CANARY")
MOST_MINUTES, MOST_HOOK_MINUTES = 1440, 20160
NEEDED = ("alternateTargetGroupArn", "productionListenerRule", "roleArn")


def check_configuration(configuration: Told, balancers: Sequence[Told]) -> None:
    """Raise when ECS would not take a configuration for a service with these load balancers."""
    strategy = configuration.get("strategy", "ROLLING")
    if strategy not in STRATEGIES:
        raise invalid(f"strategy must be one of {', '.join(STRATEGIES)}.")
    if strategy == "ROLLING":
        return
    minutes = configuration.get("bakeTimeInMinutes")
    if minutes is None:
        raise invalid(f"bakeTimeInMinutes must be specified with the deployment strategy {strategy}.")
    _check_minutes("bakeTimeInMinutes", minutes)
    _check_steps(configuration)
    for hook in configuration.get("lifecycleHooks") or []:
        _check_hook(hook)
    if not balancers:
        raise invalid(f"The deployment strategy {strategy} needs a load balancer or Service Connect.")
    if len(balancers) > 1:
        raise invalid(f"The deployment strategy {strategy} can have one load balancer.")
    advanced = balancers[0].get("advancedConfiguration") or {}
    if missing := [name for name in NEEDED if not advanced.get(name)]:
        raise invalid(f"The deployment strategy {strategy} needs {', '.join(missing)} in advancedConfiguration.")


def _check_steps(configuration: Told) -> None:
    if told := configuration.get("canaryConfiguration"):
        _check_share("canaryPercent", told.get("canaryPercent", 5.0), 0.1)
        _check_minutes("canaryBakeTimeInMinutes", told.get("canaryBakeTimeInMinutes", 10))
    if told := configuration.get("linearConfiguration"):
        _check_share("stepPercent", told.get("stepPercent", 10.0), 3.0)
        _check_minutes("stepBakeTimeInMinutes", told.get("stepBakeTimeInMinutes", 6))


def _check_share(name: str, value: float, least: float) -> None:
    """A step is a multiple of 0.1 "from 3.0 to 100.0", and a canary from 0.1 on."""
    if not least <= value <= 100 or round(value, 1) != value:
        raise invalid(f"{name} must be a multiple of 0.1 from {least} to 100.0.")


def _check_minutes(name: str, value: int) -> None:
    if not 0 <= value <= MOST_MINUTES:
        raise invalid(f"{name} must be between 0 and {MOST_MINUTES}.")


def _check_hook(hook: Told) -> None:
    if hook.get("targetType", "AWS_LAMBDA") != "PAUSE":
        raise ECSException("UnsupportedFeatureException", "this local AWS has no lifecycle hooks but those of PAUSE")
    stages = hook.get("lifecycleStages") or []
    if not stages or not set(stages) <= set(HOOKED):
        raise invalid(f"lifecycleStages must be among {', '.join(HOOKED)}.")
    if found := [one for one in stages if one in NEVER_PAUSED]:
        raise invalid(f"A lifecycle hook of PAUSE cannot be at {', '.join(found)}.")
    minutes = (hook.get("timeoutConfiguration") or {}).get("timeoutInMinutes", 1)
    if not 1 <= minutes <= MOST_HOOK_MINUTES:
        raise invalid(f"timeoutInMinutes must be between 1 and {MOST_HOOK_MINUTES}.")


def watched_alarms(service: Service, alarms: Told) -> tuple[str, ...]:
    """Return the alarms that take a deployment back: none "when a deployment is started while an alarm is active".

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
    """
    region, account = service.arn.split(":")[3:5]
    names = tuple(alarms.get("alarmNames") or ()) if alarms.get("enable") else ()
    return () if alarms_in_alarm(account, region, names) else names
