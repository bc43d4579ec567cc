"""What arrived: looked up in the repository, decided by what stands there, and started once."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from blocks.artifact_store import current_store
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.hooks.arrival import Arrival
from delivery.hooks.decision import decide, filtered
from delivery.model import Model, hash_of
from delivery.programs import pushed
from delivery.programs.git import FILE
from delivery.programs.repositories import fetch
from delivery.releases.order import Order
from delivery.releases.run_names import delivery_name, requested_by
from delivery.spec.app import App
from delivery.spec.configuration import load_app_text
from tasks.lease import lease_book
from tasks.notes import note
from tasks.repositories import access_to
from tasks.run_control import cancel_run, create_run, is_over
from tasks.skipped import INSTEAD, Skipped
from tasks.step import log, step

BY_EVENT = "by-event"  # what deployments.yaml calls what is started by arrivals
SHORT = 7
LOOKED_BACK = 20  # deliveries that may still wait


class Started(Model):
    """A delivery that a push started."""

    app: str
    environment: str
    sha: str
    run: str
    at: datetime
    arrival: str
    skipped: tuple[str, ...] = ()


class Plan(Model):
    """What an arrival comes to: a run of `deployment`, or nothing, and why."""

    reason: str
    deployment: str = ""
    parameters: dict[str, str | int | bool | None] = {}
    name: str = ""
    app: str = ""
    environment: str = ""
    sha: str = ""
    key: str = ""


@step(timeout_seconds=600, name="look at {arrival.kind} {arrival.name}", keep=False)
def plan_arrival(arrival: Arrival) -> Plan:
    """Return what a push, a tag, a release, a workflow's end or a pull request starts, by headway.yaml at that commit.

    Raises Transient while the repository is not reached, Misconfigured for a headway.yaml that cannot be taken.
    """
    address, _, folder = arrival.project.partition("#")
    where = PurePosixPath(folder or ".").as_posix()
    more = [f"+refs/pull/{arrival.pull_request}/head:refs/pull/{arrival.pull_request}/head"]
    here = fetch(address, Home.current().cache, access_to(address), *(more if arrival.pull_request else ()))
    newest = pushed.commit_of(here, f"refs/pull/{arrival.pull_request}/head" if arrival.pull_request else arrival.ref)
    if not newest:
        return Plan(reason=f"{arrival.name} is gone")
    if arrival.pull_request:
        return _of_pull_request(arrival, here, newest, where)
    return _of_push(arrival, here, newest, where)


def _of_push(arrival: Arrival, here: Path, newest: str, folder: str) -> Plan:
    """Return the delivery of the newest commit of what was pushed: an older one is not delivered any more."""
    app = described_at(here, newest, folder)
    verdict = decide(arrival, app.repository)
    if not verdict.environment or app.repository is None:
        return Plan(reason=verdict.reason, app=app.app)
    if arrival.kind == "workflow-run" and arrival.sha != newest:
        return Plan(reason=f"{arrival.name} is at {newest[:SHORT]} by now: {arrival.subject} for it decides")
    before = newest_started(app.app, verdict.environment)
    if before and before.sha == newest:
        return Plan(reason=f"run {before.run[:8]} delivers {newest[:SHORT]} already", app=app.app)
    base = before.sha if before and pushed.is_before(here, before.sha, newest) else arrival.before
    changed = pushed.files_between(here, base, newest) if base and arrival.kind == "push" else None
    if why := filtered(app.repository, changed, folder):
        return Plan(reason=why, app=app.app)
    return Plan(
        reason=verdict.reason,
        deployment=f"deliver/{BY_EVENT}",
        parameters={"project": arrival.project, "revision": newest, "environment": verdict.environment},
        name=delivery_name(app.app, newest[:SHORT], verdict.environment),
        app=app.app,
        environment=verdict.environment,
        sha=newest,
        # The same from whichever arrival it is found, as long as nothing else was started there in between.
        key=hash_of([arrival.project, verdict.environment, before.run if before else "", newest]),
    )


def _of_pull_request(arrival: Arrival, here: Path, newest: str, folder: str) -> Plan:
    """Return the examination of a pull request; whether there is one says the branch that it is for, not itself."""
    ours = pushed.commit_of(here, arrival.ref)
    if not ours:
        return Plan(reason=f"{arrival.name} is gone")
    app = described_at(here, ours, folder)
    verdict = decide(arrival, app.repository)
    if not verdict.examine:
        return Plan(reason=verdict.reason, app=app.app)
    if newest != arrival.sha:
        return Plan(reason=f"pull request {arrival.pull_request} is at {newest[:SHORT]} by now", app=app.app)
    return Plan(
        reason=verdict.reason,
        deployment=f"examine/{BY_EVENT}",
        parameters={
            "project": arrival.project,
            "revision": newest,
            "pull_request": arrival.pull_request,
            "fork": arrival.fork,
            "base": ours,
        },
        name=f"{app.app} {newest[:SHORT]} of pull request {arrival.pull_request}",
        app=app.app,
        sha=newest,
        key=hash_of([arrival.project, arrival.pull_request, newest]),
    )


def described_at(here: Path, commit: str, folder: str) -> App:
    """Return what headway.yaml says at a commit; Misconfigured where it says nothing that can be taken."""
    path = (PurePosixPath(folder) / FILE).as_posix()
    text = pushed.file_at(here, commit, path)
    if text is None:
        raise Misconfigured(f"revision {commit[:SHORT]}", f"has no {path}", next_step=f"commit {FILE} there")
    return load_app_text(text, f"{path} of {commit[:SHORT]}")


@step(timeout_seconds=120, name="start {plan.name}", keep=False)
def start_delivery(arrival: Arrival, plan: Plan) -> Started:
    """Start the delivery, once however often this is tried, in place of those that wait for the same environment."""
    waiting = _waiting(plan)
    skipped = tuple(dict.fromkeys(one.sha for one in waiting if one.sha != plan.sha))
    if arrival.sha and arrival.sha != plan.sha and arrival.kind == "push":
        skipped = (*skipped, arrival.sha)
    name = plan.name + (f", skips {', '.join(sha[:SHORT] for sha in skipped[:3])}" if skipped else "")
    tags = [*_by(arrival), *(f"skips {sha[:SHORT]}" for sha in skipped)]
    run = create_run(plan.deployment, dict(plan.parameters), name, plan.key, tags)
    started = Started(
        app=plan.app,
        environment=plan.environment,
        sha=plan.sha,
        run=run,
        at=datetime.now(UTC),
        arrival=str(arrival.identity),
        skipped=skipped,
    )
    moment = started.at.strftime("%Y%m%dT%H%M%S.%fZ")
    key = f"arrivals/{plan.app}/{plan.environment}/{moment}~{plan.sha}.json"
    current_store().put(key, started.model_dump_json(indent=2).encode())
    note(run, INSTEAD, plan.environment, Skipped(commits=skipped))
    for one in waiting:
        _end(one, plan.sha)
    return started


@step(timeout_seconds=120, name="start {plan.name}", keep=False)
def start_run(arrival: Arrival, plan: Plan) -> str:
    """Start the run of a plan, once however often this is tried, and return its id."""
    return create_run(plan.deployment, dict(plan.parameters), plan.name, plan.key, _by(arrival))


def _by(arrival: Arrival) -> list[str]:
    return [requested_by(arrival.requested_by)] if arrival.requested_by else []


@step(timeout_seconds=60, name="look for earlier deliveries to {order.environment}", keep=False)
def end_earlier(order: Order) -> tuple[str, ...]:
    """End deliveries of earlier pushes that still wait for the environment, and return their commits.

    One that changed an environment on its way when this one was started could not be ended then. Of a delivery that no
    push started nothing is known, and it ends none.
    """
    started = _started(order.app.app, order.environment, LOOKED_BACK)
    here = next((number for number, one in enumerate(started) if one.run == order.run), len(started))
    waiting = _still_waiting(order.app.app, [one for one in started[here + 1 :] if one.run != order.run])
    commits = tuple(dict.fromkeys(one.sha for one in waiting))
    if commits:
        note(order.run, INSTEAD, f"{order.environment} before its approval", Skipped(commits=commits))
    for one in waiting:
        _end(one, order.revision.sha)
    return commits


def newest_started(app: str, environment: str) -> Started | None:
    """Return what a push started last in an environment, or none."""
    return next(iter(_started(app, environment, 1)), None)


def _started(app: str, environment: str, count: int) -> list[Started]:
    keys = list(current_store().keys(f"arrivals/{app}/{environment}"))[-count:]
    return [Started.model_validate_json(current_store().get(key)) for key in reversed(keys)]


def _waiting(plan: Plan) -> list[Started]:
    earlier = _started(plan.app, plan.environment, LOOKED_BACK)
    return _still_waiting(plan.app, [one for one in earlier if one.sha != plan.sha])


def _still_waiting(app: str, started: Iterable[Started]) -> list[Started]:
    """Return those that have not ended and change no environment now, on their way or at its end."""
    holders = {lease.holder for lease in lease_book().all() if lease.app == app}
    return [one for one in started if one.run not in holders and not is_over(one.run)]


def _end(one: Started, newer: str) -> None:
    log().info("%s is not delivered any more: %s is newer", one.sha[:SHORT], newer[:SHORT])
    cancel_run(one.run)
