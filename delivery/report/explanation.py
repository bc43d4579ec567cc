"""Why a run ended as it did, what was asked of it, where the evidence is and what comes next; pure."""

from collections.abc import Callable
from typing import NamedTuple

from pydantic import Field

from delivery.errors import parts_of
from delivery.model import Model
from delivery.report.record import DeliveryRecord, Outcome, StepTime
from delivery.spec.app import App
from delivery.spec.environments import Environment

MEANING: dict[Outcome, str] = {
    "delivered": "the release takes all traffic",
    "unchanged": "exactly this is live already, or it was not needed any more; nothing was changed",
    "proven": "it was built, scanned and tested; nothing was released",
    "rejected": "a gate said no, or a step cannot succeed; live traffic was never touched",
    "withdrawn": "the release was unhealthy, and what was live before has the traffic",
    "misconfigured": "something that was written or asked for cannot work; nothing was changed",
    "interrupted": "somebody stopped the run; what it had started was removed",
    "failed": "a fault of Headway itself; what was live before has the traffic",
    "crashed": "the process of the run died; recovery ends what it had begun",
}
GOOD: tuple[Outcome, ...] = ("delivered", "unchanged", "proven")
SHOWN = 10


class Explanation(Model):
    """One run, explained."""

    run: str
    name: str
    environment: str = ""
    outcome: str
    meaning: str = Field(description="of the outcome, in words")
    gate: str = Field("", description="what said no; empty: nothing did")
    step: str = Field("", description="the step in which it did")
    found: tuple[str, ...] = Field((), description="what was found there")
    allowed: str = Field("", description="what would have passed; empty: not known")
    evidence: tuple[str, ...] = Field((), description="where it can be looked up")
    next_steps: tuple[str, ...] = Field((), description="what to do, commands among it")


class Stop(NamedTuple):
    """A gate that said no: what it found, what it allows, where its evidence is and what mends it."""

    gate: str
    found: tuple[str, ...] = ()
    allowed: str = ""
    evidence: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()


Locate = Callable[[str], str]
Ask = Callable[[DeliveryRecord, StepTime | None, App, Locate], Stop | None]


def explain(record: DeliveryRecord, app: App | None, locate: Locate) -> Explanation:
    """Return why the run of a record ended as it did; `app` is its headway.yaml as it was then, where that is known."""
    step = stopping_step(record)
    said, allowed, advice = parts_of(record.reason)
    stop = _stop(record, step, app, locate) if record.outcome not in GOOD else Stop("")
    found = stop.found or tuple(line for line in said.splitlines() if line.strip())
    steps = dict.fromkeys((*advice, *stop.next_steps, *_after(record)))
    return Explanation(
        run=record.run,
        name=record.name,
        environment=record.environment,
        outcome=record.outcome,
        meaning=MEANING[record.outcome],
        gate=stop.gate,
        step=step.name if step and record.outcome not in GOOD else "",
        found=found,
        allowed=allowed or stop.allowed,
        evidence=tuple(dict.fromkeys(filter(None, (*stop.evidence, record.report)))),
        next_steps=tuple(steps),
    )


def stopping_step(record: DeliveryRecord) -> StepTime | None:
    """Return the step that the run stopped in: the first that failed in the end, for others fail because of it."""
    bad = [step for step in record.steps if step.outcome != "done"]
    last = {step.name: step for step in record.steps}
    return next((step for step in bad if last[step.name].outcome != "done"), None)


def _stop(record: DeliveryRecord, step: StepTime | None, app: App | None, locate: Locate) -> Stop:
    asked = (ask(record, step, app, locate) for ask in _GATES) if app else iter(())
    named = step.name if step else ""
    return next((stop for stop in asked if stop), Stop(named))


def _own_words(record: DeliveryRecord, step: StepTime | None, app: App, locate: Locate) -> Stop | None:
    return Stop(record.gate) if record.gate else None


def _scan(record: DeliveryRecord, step: StepTime | None, app: App, locate: Locate) -> Stop | None:
    if step is None or step.name not in ("check findings", "prepare scanner"):
        return None
    policy = app.scan
    allowed = f"no finding of scan.block ({', '.join(policy.block) or 'none'}), secrets: {policy.secrets}"
    return Stop("scan", (), allowed, (locate(f"runs/{record.run}/scan"),), ("headway check",))


def _tests(record: DeliveryRecord, step: StepTime | None, app: App, locate: Locate) -> Stop | None:
    bad = [cell for cell in (*record.cells, *record.acceptance) if cell.outcome != "passed"]
    if not bad or (step and step.name.startswith("check findings")):
        return None
    lines = [f"{one.cell.name}: {one.outcome}: {one.problem or 'see its log'}" for one in bad[:SHOWN]]
    lines += [f"  {test}" for one in bad[:SHOWN] for test in one.failing]
    return Stop(
        "tests", tuple(lines), "every cell and every acceptance suite passes", (locate(f"runs/{record.run}/cells"),)
    )


def _approval(record: DeliveryRecord, step: StepTime | None, app: App, locate: Locate) -> Stop | None:
    refused = [one for one in record.decisions if one.decision == "reject"]
    if not refused:
        return None
    one = refused[-1]
    return Stop("approval", (f"{one.approver} rejected it{': ' * bool(one.comment)}{one.comment}",), "an approval")


def _hooks(record: DeliveryRecord, step: StepTime | None, app: App, locate: Locate) -> Stop | None:
    failed = [one for one in record.hooks if one.at == "before_release" and not one.passed]
    if step is None or not step.name.startswith("hook ") or not failed:
        return None
    lines = tuple(f"{one.environment}: {one.label}: {one.problem}" for one in failed)
    return Stop("hooks", lines, "exit code 0 in time (hooks.before_release)", (locate(f"runs/{record.run}/cells"),))


def _checks(record: DeliveryRecord, step: StepTime | None, app: App, locate: Locate) -> Stop | None:
    failed = [one for one in record.checks if not one.passed]
    if not failed:
        return None
    lines = tuple(f"{one.environment}, {one.at}: {one.label}: {one.problem}" for one in failed)
    return Stop("checks", lines, "every check of the environment passes", (locate(f"runs/{record.run}/cells"),))


def _traffic(record: DeliveryRecord, step: StepTime | None, app: App, locate: Locate) -> Stop | None:
    fell = [(one.environment, back.reason) for one in record.releases for back in one.fallbacks]
    judged = [
        (one.environment, seen.reason)
        for one in record.releases
        for seen in one.observations[-1:]
        if seen.verdict != "healthy"
    ]
    if not fell and not judged:
        return None
    environment = (fell or judged)[0][0]
    limits = _limits(app.environments[environment]) if environment in app.environments else ""
    lines = tuple(dict.fromkeys(f"{where}: {reason}" for where, reason in (*fell, *judged)))
    return Stop("live traffic", lines, limits, (locate(f"runs/{record.run}/watch"),))


def _limits(environment: Environment) -> str:
    watch = environment.watch
    latency = f", 95 % within {watch.max_latency_ms:g} ms" if watch.max_latency_ms else ""
    return (
        f"at most {watch.max_error_percent:g} % errors, {watch.max_slowdown:g} times as slow as before{latency} (watch)"
    )


_BEGINS = {
    "check out ": "the order",
    "take ": "the lease",
    "rehearse": "rehearsal of the migrations",
    "migrate ": "migration",
    "back up": "backup",
    "prove": "backup",
    "build ": "build",
    "stage ": "start of the release",
    "apply ": "infrastructure",
    "plan ": "infrastructure",
}


def _by_name(record: DeliveryRecord, step: StepTime | None, app: App, locate: Locate) -> Stop | None:
    named = next((gate for begin, gate in _BEGINS.items() if step and step.name.startswith(begin)), "")
    return Stop(named, evidence=(locate(f"runs/{record.run}"),)) if named else None


_GATES: tuple[Ask, ...] = (_own_words, _scan, _hooks, _checks, _traffic, _tests, _approval, _by_name)


def _after(record: DeliveryRecord) -> tuple[str, ...]:
    """Return what comes next whatever it was that stopped the run."""
    of = f" --app {record.app}" if record.app else ""
    again = "headway rollback" if record.kind == "rollback" else "headway run"
    where = "" if record.environment == "production" else f" --environment {record.environment}"
    match record.outcome:
        case "delivered" | "unchanged" | "proven":
            return (f"headway status{of}",)
        case "crashed":
            return (f"headway status{of}, until the environment is free", f"{again}{where}")
        case "failed":
            return (f"headway log {record.run[:8]}", "headway doctor")
        case "withdrawn":
            return (f"headway log {record.run[:8]}", f"mend it and commit, then {again}{where}")
        case "misconfigured":
            return ("headway check", f"{again}{where}")
    return (f"{again}{where}, once that is mended",)
