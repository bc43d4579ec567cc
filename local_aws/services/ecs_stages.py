"""The stages of a deployment of ECS: in which order, what each asks for, and when the next one comes. Values only.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Status = Literal[
    "PENDING",
    "IN_PROGRESS",
    "SUCCESSFUL",
    "STOPPED",
    "ROLLBACK_REQUESTED",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_SUCCESSFUL",
]
OVER: tuple[Status, ...] = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL")
# What a deployment that goes back does, and one that another took the place of.
GOING_BACK: tuple[Status, ...] = ("STOPPED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL")
BEFORE = ("RECONCILE_SERVICE", "PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT")
HOOKED = (
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
)
# "You can't use pause hooks at the TEST_TRAFFIC_SHIFT and PRODUCTION_TRAFFIC_SHIFT stages": nothing waits there.
NEVER_PAUSED = ("TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT")
HOOK_MINUTES = 1440


@dataclass(frozen=True)
class Position:
    """A stage; of a shift of traffic which share the new revision gets, and for how many minutes that is looked at."""

    stage: str
    percent: float = 0
    minutes: float = 0


@dataclass(frozen=True)
class Progress:
    """How far a deployment has come. `entered` and all other moments are seconds since 1970."""

    status: Status = "PENDING"
    position: int = 0
    entered: float = 0
    started: float = 0
    finished: float = 0
    hooks: tuple[dict[str, Any], ...] = ()
    reason: str = ""
    back_because: str = ""
    back_since: float = 0
    alarms: tuple[str, ...] = ()
    version: int = 0


@dataclass(frozen=True)
class World:
    """What there is: tasks of both revisions, those of the new one that are well, and what speaks against it.

    `is_shared` says whether the load balancer was told the shares that the stage asks for.
    """

    now: float
    source_tasks: int = 0
    target_tasks: int = 0
    target_well: int = 0
    failed: int = 0
    alarms: tuple[str, ...] = ()
    is_shared: bool = True
    problem: str = ""


@dataclass(frozen=True)
class Wanted:
    """What a deployment asks for at a moment: tasks, and the new revision's shares of both kinds of traffic."""

    source_tasks: int
    target_tasks: int
    percent: float
    test_percent: float


@dataclass(frozen=True)
class Plan:
    """A deployment that was asked for: its configuration, and how many tasks each revision has with all of them."""

    configuration: Mapping[str, Any]
    source_tasks: int
    target_tasks: int
    has_balancer: bool
    minute_seconds: float = 60
    positions: tuple[Position, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "positions", positions(self.configuration, self.has_balancer))


def positions(configuration: Mapping[str, Any], has_balancer: bool) -> tuple[Position, ...]:
    """Return the stages one after the other."""
    strategy = configuration.get("strategy", "ROLLING")
    if strategy == "ROLLING":
        return (Position("SCALE_UP", 100), Position("CLEAN_UP"))
    steps = _shares(configuration, strategy)
    shifts = [
        one
        for percent, minutes in steps
        for one in (
            Position("PRE_PRODUCTION_TRAFFIC_SHIFT"),
            Position("PRODUCTION_TRAFFIC_SHIFT", percent, minutes),
        )
    ]
    return (
        *(Position(name) for name in BEFORE),
        Position("POST_TEST_TRAFFIC_SHIFT"),
        *(shifts if has_balancer else ()),
        Position("POST_PRODUCTION_TRAFFIC_SHIFT"),
        Position("BAKE_TIME", minutes=configuration.get("bakeTimeInMinutes", 15)),
        Position("CLEAN_UP"),
    )


def _shares(configuration: Mapping[str, Any], strategy: str) -> list[tuple[float, float]]:
    """Return share and minutes of each step; after the last one there is the time to bake.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LinearConfiguration.html, API_CanaryConfiguration
    """
    if strategy == "CANARY":
        told = configuration.get("canaryConfiguration") or {}
        return [(told.get("canaryPercent", 5.0), told.get("canaryBakeTimeInMinutes", 10)), (100, 0)]
    if strategy == "LINEAR":
        told = configuration.get("linearConfiguration") or {}
        step, minutes = told.get("stepPercent", 10.0), told.get("stepBakeTimeInMinutes", 6)
        found = [round(step * number, 1) for number in range(1, int(100 / step) + 1) if step * number < 100]
        return [*((one, minutes) for one in found), (100, 0)]
    return [(100, 0)]


def stage_of(plan: Plan, progress: Progress) -> str:
    """Return the stage a deployment is in."""
    return plan.positions[progress.position].stage


def wanted(plan: Plan, progress: Progress) -> Wanted:
    """Return what a deployment asks for now."""
    if progress.status in GOING_BACK:
        return Wanted(plan.source_tasks, 0, 0, 0)
    if progress.status == "PENDING":
        return Wanted(plan.source_tasks, 0, 0, 0)
    if progress.status == "SUCCESSFUL":
        return Wanted(0, plan.target_tasks, 100, 100)
    passed = plan.positions[: progress.position + 1]
    stages = [one.stage for one in passed]
    shares = [one.percent for one in passed if one.stage == "PRODUCTION_TRAFFIC_SHIFT"]
    is_rolling = plan.positions[0].stage == "SCALE_UP"
    return Wanted(
        source_tasks=0 if "CLEAN_UP" in stages else plan.source_tasks,
        target_tasks=plan.target_tasks if "SCALE_UP" in stages else 0,
        percent=100 if is_rolling else (shares[-1] if shares else 0),
        test_percent=100 if is_rolling or "TEST_TRAFFIC_SHIFT" in stages else 0,
    )


def advance(plan: Plan, progress: Progress, world: World, draw: Callable[[], str]) -> Progress:
    """Return how far a deployment is now; the same when there is nothing to do but wait. `draw` names hooks."""
    match progress.status:
        case "PENDING":
            return _enter(plan, replace(progress, status="IN_PROGRESS", started=world.now), 0, world, draw)
        case "ROLLBACK_REQUESTED":
            return replace(progress, status="ROLLBACK_IN_PROGRESS", back_since=world.now)
        case "ROLLBACK_IN_PROGRESS" if world.is_shared and world.target_tasks == 0:
            return replace(progress, status="ROLLBACK_SUCCESSFUL", finished=world.now)
        case "IN_PROGRESS":
            return _further(plan, progress, world, draw)
    return progress


def back(progress: Progress, reason: str) -> Progress:
    """Return a deployment that is to go back."""
    return replace(progress, status="ROLLBACK_REQUESTED", back_because=reason, reason=reason)


def _further(plan: Plan, progress: Progress, world: World, draw: Callable[[], str]) -> Progress:
    if against := _objection(plan, world):
        told = back(progress, against)
        return replace(told, alarms=world.alarms) if world.alarms else told
    late = [one for one in progress.hooks if one["status"] == "AWAITING_ACTION" and world.now >= one["expiresAt"]]
    if late:
        hooks = tuple({**one, "status": "TIMED_OUT"} if one in late else one for one in progress.hooks)
        given_up = any(one["timeoutAction"] == "ROLLBACK" for one in late)
        timed_out = replace(progress, hooks=hooks)
        why = "Service deployment rolled back because a lifecycle hook timed out"
        return back(timed_out, why) if given_up else timed_out
    if any(one["status"] == "AWAITING_ACTION" for one in progress.hooks):
        return progress
    here = plan.positions[progress.position]
    if not _is_done(plan, here, world) or world.now < progress.entered + here.minutes * plan.minute_seconds:
        return progress
    if progress.position + 1 == len(plan.positions):
        return replace(progress, status="SUCCESSFUL", finished=world.now, hooks=())
    return _enter(plan, progress, progress.position + 1, world, draw)


def _objection(plan: Plan, world: World) -> str:
    """Return why a deployment cannot go on, or nothing."""
    if world.problem:
        return world.problem
    alarms = plan.configuration.get("alarms") or {}
    if world.alarms and alarms.get("enable") and alarms.get("rollback"):
        return f"Service deployment rolled back because of CloudWatch alarms: {', '.join(world.alarms)}"
    breaker = plan.configuration.get("deploymentCircuitBreaker") or {}
    if breaker.get("enable") and breaker.get("rollback") and world.failed >= threshold(plan):
        return "Service deployment rolled back because the circuit breaker threshold was exceeded."
    return ""


def threshold(plan: Plan) -> int:
    """Return after how many tasks that failed the circuit breaker acts: "Minimum threshold <= 0.5 * desired task
    count => maximum threshold", which are 3 and 200.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
    """
    return min(200, max(3, -(-plan.target_tasks // 2)))


def _is_done(plan: Plan, here: Position, world: World) -> bool:
    match here.stage:
        case "SCALE_UP":
            return world.target_well >= plan.target_tasks
        case "TEST_TRAFFIC_SHIFT" | "PRODUCTION_TRAFFIC_SHIFT":
            return world.is_shared
        case "CLEAN_UP":
            return world.source_tasks == 0
    return True


def _enter(plan: Plan, progress: Progress, position: int, world: World, draw: Callable[[], str]) -> Progress:
    stage, asked = plan.positions[position].stage, plan.configuration.get("lifecycleHooks") or []
    hooks = []
    for one in asked:
        if stage not in one["lifecycleStages"]:
            continue
        limit = one.get("timeoutConfiguration") or {}
        minutes = limit.get("timeoutInMinutes", HOOK_MINUTES)
        hooks.append(
            {
                "hookId": draw(),
                "targetType": one["targetType"],
                "status": "AWAITING_ACTION",
                "expiresAt": world.now + minutes * plan.minute_seconds,
                "timeoutAction": limit.get("action", "ROLLBACK"),
            }
        )
    return replace(progress, position=position, entered=world.now, hooks=tuple(hooks))
