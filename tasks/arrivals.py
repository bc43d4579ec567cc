"""What arrived: looked up in the repository, decided by what stands there, and started once."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from pydantic import Field

from blocks.artifact_store import current_store
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.hooks.arrival import Arrival
from delivery.hooks.decision import decide, filtered
from delivery.hooks.started import Started, StartedDeliveries
from delivery.model import Model, hash_of
from delivery.programs import pushed
from delivery.programs.git import FILE
from delivery.programs.repositories import default_commit, fetch
from delivery.releases.order import Order
from delivery.releases.run_names import delivery_name, requested_by
from delivery.spec.app import App
from delivery.spec.configuration import load_app_text
from delivery.spec.repository import Repository
from tasks.lease import lease_book
from tasks.notes import note
from tasks.repositories import access_to
from tasks.run_control import came_to_nothing, cancel_run, create_run, has_failed, is_over
from tasks.skipped import INSTEAD, Skipped
from tasks.step import log, step

BY_EVENT = "by-event"  # what deployments.yaml calls what is started by arrivals
SHORT, SHOWN = 7, 8  # letters of a commit, and of a run
LOOKED_BACK = 20  # deliveries that may still wait


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
    before: str = Field("", description="the run that was started there last, when it was looked; empty: none")
    follows: bool = Field(True, description="what was started there last is in its history")


@step(timeout_seconds=600, name="look at {arrival.kind} {arrival.name}", keep=False)
def plan_arrival(arrival: Arrival) -> Plan:
    """Return what a push, a tag, a release, a workflow's end or a pull request starts.

    Where a delivery goes says headway.yaml of the default branch; what is delivered, and how, that of its own commit.
    Raises Transient while the repository is not reached, Misconfigured for a headway.yaml that cannot be taken.
    """
    seen: str | None = None
    while True:
        plan = _looked_up(arrival)
        if plan.follows or plan.before == seen:
            return plan
        seen = plan.before  # it may be newer than what was fetched before it was looked for


def _looked_up(arrival: Arrival) -> Plan:
    address, _, folder = arrival.project.partition("#")
    where = PurePosixPath(folder or ".").as_posix()
    cache, access = Home.current().cache, access_to(address)
    more = [f"+refs/pull/{arrival.pull_request}/head:refs/pull/{arrival.pull_request}/head"]
    here = fetch(address, cache, access, *(more if arrival.pull_request else ()))
    newest = pushed.commit_of(here, f"refs/pull/{arrival.pull_request}/head" if arrival.pull_request else arrival.ref)
    if not newest:
        return Plan(reason=f"{arrival.name} is gone")
    if arrival.pull_request:
        return _of_pull_request(arrival, here, newest, where)
    return _of_push(arrival, here, newest, where, default_commit(address, cache, access))


def _of_push(arrival: Arrival, here: Path, newest: str, folder: str, default: str) -> Plan:
    """Return the delivery of the newest commit of what was pushed: an older one is not delivered any more.

    Whoever may push to some branch could have it delivered anywhere, if its own file said where it goes.
    """
    ours = described_at(here, default, folder, " of the default branch")
    verdict = decide(arrival, ours.repository)
    if not verdict.environment:
        reason = f"{verdict.reason}; so says headway.yaml of the default branch, at {default[:SHORT]}"
        return Plan(reason=reason, app=ours.app)
    if arrival.kind == "workflow-run" and arrival.sha != newest:
        return Plan(reason=f"{arrival.name} is at {newest[:SHORT]} by now: {arrival.subject} for it decides")
    app = described_at(here, newest, folder)
    deliveries = StartedDeliveries(current_store(), app.app, verdict.environment)
    known = deliveries.newest(LOOKED_BACK)
    why = _why_not_again(arrival, newest, deliveries, known)
    if why := why or filtered(app.repository or Repository(), _changed(arrival, here, newest, known), folder):
        return Plan(reason=why, app=app.app)
    before = known[0].run if known else ""
    return Plan(
        reason=verdict.reason,
        deployment=f"deliver/{BY_EVENT}",
        parameters={"project": arrival.project, "revision": newest, "environment": verdict.environment},
        name=delivery_name(app.app, newest[:SHORT], verdict.environment),
        app=app.app,
        environment=verdict.environment,
        sha=newest,
        # The same from whichever arrival it is found, as long as nothing else was started there in between.
        key=hash_of([arrival.project, verdict.environment, before, newest]),
        before=before,
        follows=not known or pushed.is_before(here, known[0].sha, newest),
    )


def _why_not_again(arrival: Arrival, newest: str, deliveries: StartedDeliveries, known: Sequence[Started]) -> str:
    """Return why a commit is not delivered once more, empty when it is; `known` was started there, the newest first.

    What came to nothing may be tried again by whatever tells of it, unless something else has been started since. A tag
    is delivered once: its release may be published when others have come after it.
    """
    if known and known[0].sha == newest:
        last = known[0].run
        return "" if came_to_nothing(last) else f"run {last[:SHOWN]} delivers {newest[:SHORT]} already"
    if arrival.kind in ("tag", "release"):
        earlier = (one for one in deliveries.of(newest) if one.is_of_tag(arrival) and not has_failed(one.run))
        if found := next(earlier, None):
            return f"run {found.run[:SHOWN]} was started by {arrival.name} before, and others have come after it"
    return ""


def _changed(arrival: Arrival, here: Path, newest: str, known: Sequence[Started]) -> Sequence[str] | None:
    """Return the files that differ from what was delivered last; none: it is not known which, so all count."""
    if arrival.kind != "push":
        return None
    went = next((one for one in known if not came_to_nothing(one.run)), None)
    if went and pushed.is_before(here, went.sha, newest):
        return pushed.files_between(here, went.sha, newest)
    if known and known[0] != went:  # what was pushed in between has not got there
        return None
    return pushed.files_between(here, arrival.before, newest) if arrival.before else None


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


def described_at(here: Path, commit: str, folder: str, called: str = "") -> App:
    """Return what headway.yaml says at a commit; Misconfigured where it says nothing that can be taken."""
    path = (PurePosixPath(folder) / FILE).as_posix()
    text = pushed.file_at(here, commit, path)
    if text is None:
        raise Misconfigured(f"revision {commit[:SHORT]}{called}", f"has no {path}", next_step=f"commit {FILE} there")
    return load_app_text(text, f"{path} of {commit[:SHORT]}")


@step(timeout_seconds=120, name="start {plan.name}", keep=False)
def start_delivery(arrival: Arrival, plan: Plan) -> Started | None:
    """Start the delivery, once however often this is tried, in place of those that wait for the same environment.

    None when another one was started there since it was planned: that may be newer, so it has to be planned again.
    """
    deliveries = StartedDeliveries(current_store(), plan.app, plan.environment)
    known, ours = deliveries.newest(LOOKED_BACK), (str(arrival.identity), plan.before)
    own = next((number for number, one in enumerate(known) if (one.arrival, one.after) == ours), -1)
    if own < 0 and plan.before != (known[0].run if known else ""):
        return None
    waiting = _still_waiting(plan.app, [one for one in known[own + 1 :] if one.sha != plan.sha])
    made = _started(arrival, plan, waiting)
    started = deliveries.keep(made)
    if started.run != made.run:
        cancel_run(made.run, "another commit was started there at the same moment")
        return None
    note(started.run, INSTEAD, plan.environment, Skipped(commits=started.skipped))
    for one in waiting:
        _end(one, plan.sha)
    return started


def _started(arrival: Arrival, plan: Plan, waiting: Sequence[Started]) -> Started:
    """Return the delivery as it is started now; its name and its tags say which commits it takes the place of."""
    skipped = tuple(dict.fromkeys(one.sha for one in waiting))
    if arrival.sha and arrival.sha != plan.sha and arrival.kind == "push":
        skipped = (*skipped, arrival.sha)
    name = plan.name + (f", skips {', '.join(sha[:SHORT] for sha in skipped[:3])}" if skipped else "")
    tags = [*_by(arrival), *(f"skips {sha[:SHORT]}" for sha in skipped)]
    return Started(
        app=plan.app,
        environment=plan.environment,
        sha=plan.sha,
        run=create_run(plan.deployment, dict(plan.parameters), name, plan.key, tags),
        at=datetime.now(UTC),
        arrival=str(arrival.identity),
        ref=arrival.ref,
        after=plan.before,
        skipped=skipped,
    )


@step(timeout_seconds=120, name="start {plan.name}", keep=False)
def start_run(arrival: Arrival, plan: Plan) -> str:
    """Start the run of a plan, once however often this is tried, and return its id; anew where it came to nothing."""
    key = plan.key
    while came_to_nothing(run := create_run(plan.deployment, dict(plan.parameters), plan.name, key, _by(arrival))):
        key = hash_of([plan.key, run])
    return run


def _by(arrival: Arrival) -> list[str]:
    return [requested_by(arrival.requested_by)] if arrival.requested_by else []


@step(timeout_seconds=60, name="look for earlier deliveries to {order.environment}", keep=False)
def end_earlier(order: Order) -> tuple[str, ...]:
    """End deliveries of earlier pushes that still wait for the environment, and return their commits.

    One that changed an environment on its way when this one was started could not be ended then. Of a delivery that no
    push started nothing is known, and it ends none.
    """
    started = StartedDeliveries(current_store(), order.app.app, order.environment).newest(LOOKED_BACK)
    here = next((number for number, one in enumerate(started) if one.run == order.run), len(started))
    waiting = _still_waiting(order.app.app, [one for one in started[here + 1 :] if one.run != order.run])
    commits = tuple(dict.fromkeys(one.sha for one in waiting))
    if commits:
        note(order.run, INSTEAD, f"{order.environment} before its approval", Skipped(commits=commits))
    for one in waiting:
        _end(one, order.revision.sha)
    return commits


def _still_waiting(app: str, started: Iterable[Started]) -> list[Started]:
    """Return those that have not ended and change no environment now, on their way or at its end."""
    holders = {lease.holder for lease in lease_book().all() if lease.app == app}
    return [one for one in started if one.run not in holders and not is_over(one.run)]


def _end(one: Started, newer: str) -> None:
    log().info("%s is not delivered any more: %s is newer", one.sha[:SHORT], newer[:SHORT])
    cancel_run(one.run, "a newer commit is delivered in its place")
