"""A deployment of CodeDeploy to ECS, as values: its lifecycle events, its waits, and when the next one comes.

https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Status = Literal["Created", "InProgress", "Ready", "Succeeded", "Failed", "Stopped"]
OVER: tuple[Status, ...] = ("Succeeded", "Failed", "Stopped")
EVENTS = (
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "AllowTestTraffic",
    "AfterAllowTestTraffic",
    "BeforeAllowTraffic",
    "AllowTraffic",
    "AfterAllowTraffic",
)
HOOKS = ("BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic")
OF_TESTS = ("AllowTestTraffic", "AfterAllowTestTraffic")
READY, TERMINATION = "READY_WAIT", "TERMINATION_WAIT"
# "The default and maximum timeout of a hook is one hour"; so long tasks are waited for too.
HOOK_MINUTES = INSTALL_MINUTES = 60.0


@dataclass(frozen=True)
class Position:
    """Where a deployment is: at an event, or at a wait; for how many minutes; with which share of users."""

    event: str = ""
    wait: str = ""
    percent: float = 0
    minutes: float = 0
    hook: str = ""
    ends: bool = False  # what it replaced is stopped


@dataclass(frozen=True)
class Plan:
    """What a deployment was asked for. `ready_minutes` none: it does not wait before users get it."""

    hooks: Mapping[str, str]
    steps: tuple[tuple[float, float], ...]
    blue_tasks: int
    green_tasks: int
    has_test: bool
    ready_minutes: float | None = None
    termination_minutes: float = 0
    rolls_back_on: tuple[str, ...] = ()
    minute_seconds: float = 60
    positions: tuple[Position, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "positions", _positions(self))


@dataclass(frozen=True)
class Progress:
    """How far it has come; moments are seconds since 1970. `execution` is what a hook's answer names."""

    status: Status = "Created"
    position: int = 0
    entered: float = 0
    started: float = 0
    finished: float = 0
    execution: str = ""
    answered: str = ""
    continued: str = ""
    events: tuple[tuple[str, str, float, float], ...] = ()
    code: str = ""
    message: str = ""
    rolls_back: bool = False
    is_away: bool = False  # no request comes to the new tasks any more
    is_back: bool = False
    version: int = 0


@dataclass(frozen=True)
class World:
    """What there is: tasks of both sets, those of the new one that are well, alarms that speak against it."""

    now: float
    blue_tasks: int = 0
    green_tasks: int = 0
    green_well: int = 0
    alarms: tuple[str, ...] = ()
    is_shared: bool = True
    is_held: bool = False  # it is to stay where it is, however long


@dataclass(frozen=True)
class Wanted:
    """What a deployment asks for at a moment."""

    blue_tasks: int
    green_tasks: int
    percent: float
    test_percent: float


def steps_of(config: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    """Return share and minutes of each step of a configuration's routing."""
    routing = config.get("trafficRoutingConfig") or {"type": "AllAtOnce"}
    if routing["type"] == "TimeBasedCanary":
        told = routing["timeBasedCanary"]
        return ((told["canaryPercentage"], told["canaryInterval"]), (100, 0))
    if routing["type"] == "TimeBasedLinear":
        told = routing["timeBasedLinear"]
        step, minutes = told["linearPercentage"], told["linearInterval"]
        return (*((share, minutes) for share in range(step, 100, step)), (100, 0))
    return ((100, 0),)


def _positions(plan: Plan) -> tuple[Position, ...]:
    found = []
    for event in EVENTS:
        if event in OF_TESTS and not plan.has_test:
            continue
        if event == "BeforeAllowTraffic" and plan.ready_minutes is not None:
            found.append(Position(wait=READY, minutes=plan.ready_minutes))
        if event == "AllowTraffic":
            found += [Position(event, percent=percent, minutes=minutes) for percent, minutes in plan.steps]
        elif event not in HOOKS or event in plan.hooks:
            found.append(Position(event, hook=plan.hooks.get(event, "")))
    return (*found, Position(wait=TERMINATION, minutes=plan.termination_minutes), Position(ends=True))


def here(plan: Plan, progress: Progress) -> Position:
    """Return where a deployment is."""
    return plan.positions[progress.position]


def wanted(plan: Plan, progress: Progress) -> Wanted:
    """Return what a deployment asks for now; one that ended without going back leaves all as it was then.

    One that goes back first sends users back, and stops its tasks then.
    """
    if progress.status == "Created":
        return Wanted(plan.blue_tasks, 0, 0, 0)
    if progress.rolls_back:
        return Wanted(plan.blue_tasks, 0 if progress.is_away else plan.green_tasks, 0, 0)
    if progress.status == "Succeeded" or here(plan, progress).ends:
        return Wanted(0, plan.green_tasks, 100, 100)
    passed = plan.positions[: progress.position + 1]
    events = [one.event for one in passed]
    shares = [one.percent for one in passed if one.event == "AllowTraffic"]
    return Wanted(
        plan.blue_tasks,
        plan.green_tasks if "Install" in events else 0,
        shares[-1] if shares else 0,
        100 if "AllowTestTraffic" in events else 0,
    )


def advance(plan: Plan, progress: Progress, world: World, draw: Callable[[], str]) -> Progress:
    """Return how far a deployment is now; the same when there is nothing to do but wait. `draw` names hooks."""
    if progress.status in OVER:
        if not progress.rolls_back or progress.is_back or not world.is_shared:
            return progress
        if not progress.is_away:
            return replace(progress, is_away=True)
        return replace(progress, is_back=True) if world.green_tasks == 0 else progress
    if progress.status == "Created":
        return _enter(plan, replace(progress, started=world.now), 0, world, draw)
    now, waited = here(plan, progress), (world.now - progress.entered) / plan.minute_seconds
    if world.alarms:
        names = ", ".join(world.alarms)
        return fail(plan, progress, world.now, "ALARM_ACTIVE", f"One or more alarms have been activated: {names}")
    if now.hook:
        return _hooked(plan, progress, world, draw, waited)
    if now.wait == READY and progress.continued != READY:
        if waited < now.minutes:
            return progress
        message = "The deployment was stopped because nobody continued it in time"
        return stop(plan, progress, world.now, message, goes_back=False)
    if now.event == "Install" and world.green_well < plan.green_tasks:
        if waited < INSTALL_MINUTES:
            return progress
        message = "The ECS service cannot reach a steady state: its tasks are not healthy"
        return fail(plan, progress, world.now, "HEALTH_CONSTRAINTS", message)
    if now.ends and world.blue_tasks:
        return progress
    skips = bool(now.wait) and progress.continued == now.wait
    if not world.is_shared or world.is_held or (waited < now.minutes and not skips):
        return progress
    if progress.position + 1 < len(plan.positions):
        return _enter(plan, progress, progress.position + 1, world, draw)
    return replace(progress, status="Succeeded", finished=world.now)


def _hooked(plan: Plan, progress: Progress, world: World, draw: Callable[[], str], waited: float) -> Progress:
    event = here(plan, progress).event
    if progress.answered == "Succeeded":
        return _enter(plan, progress, progress.position + 1, world, draw)
    if progress.answered or waited >= HOOK_MINUTES:
        why = f"The validation hook {event} failed" if progress.answered else f"The hook {event} timed out"
        return fail(plan, progress, world.now, "HOOK_EXECUTION_FAILURE", why)
    return progress


def fail(plan: Plan, progress: Progress, now: float, code: str, message: str) -> Progress:
    """Return a deployment that failed; it goes back when its group says so of this kind of failure."""
    event = "DEPLOYMENT_STOP_ON_ALARM" if code == "ALARM_ACTIVE" else "DEPLOYMENT_FAILURE"
    ended = _ended(plan, progress, now, "Failed")
    status: Status = "Stopped" if code == "ALARM_ACTIVE" else "Failed"
    told = {"status": status, "finished": now, "code": code, "message": message}
    return replace(ended, **told, rolls_back=event in plan.rolls_back_on)  # type: ignore[arg-type]


def stop(plan: Plan, progress: Progress, now: float, message: str, *, goes_back: bool) -> Progress:
    """Return a deployment that was stopped."""
    ended = _ended(plan, progress, now, "Failed")
    rolls = goes_back or "DEPLOYMENT_STOP_ON_REQUEST" in plan.rolls_back_on
    return replace(ended, status="Stopped", finished=now, code="MANUAL_STOP", message=message, rolls_back=rolls)


def _enter(plan: Plan, progress: Progress, position: int, world: World, draw: Callable[[], str]) -> Progress:
    left = _ended(plan, progress, world.now, "Succeeded") if progress.status != "Created" else progress
    new = plan.positions[position]
    events = left.events
    if new.event and (not events or events[-1][0] != new.event):
        events = (*events, (new.event, "InProgress", world.now, 0.0))
    return replace(
        left,
        status="Ready" if new.wait == READY else "InProgress",
        position=position,
        entered=world.now,
        events=events,
        execution=draw() if new.hook else "",
        answered="",
    )


def _ended(plan: Plan, progress: Progress, now: float, status: str) -> Progress:
    """Return it with the end of the event that it is at, unless there are more steps of the same."""
    if not progress.events or progress.events[-1][1] != "InProgress":
        return progress
    after = plan.positions[progress.position + 1 : progress.position + 2]
    if status == "Succeeded" and after and after[0].event == progress.events[-1][0]:
        return progress
    name, _, started, _ = progress.events[-1]
    return replace(progress, events=(*progress.events[:-1], (name, status, started, now)))
