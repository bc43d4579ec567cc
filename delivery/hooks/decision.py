"""What follows from an arrival: pure functions of it and of what stands in headway.yaml at that commit."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from delivery.counting import counted
from delivery.hooks.arrival import Arrival
from delivery.model import Model
from delivery.spec.repository import Repository

SHOWN = 3


class Verdict(Model):
    """What is started: a delivery to an environment, an examination, or nothing; and why."""

    environment: str = ""
    examine: bool = False
    reason: str


def decide(arrival: Arrival, repository: Repository | None) -> Verdict:
    """Return what a push, a tag, a release, a workflow's end or a pull request starts; nothing changed counts yet."""
    if repository is None:
        return Verdict(reason="headway.yaml has no `repository`: nothing is started by itself")
    match arrival.kind:
        case "push":
            return _of_branch(arrival, repository)
        case "tag" | "release":
            where = repository.environment_of_tag(arrival.name)
            return _to(where, f"tag {arrival.name}", "repository.tags")
        case "workflow-run":
            return _of_workflow(arrival, repository)
        case "pull-request":
            return _of_pull_request(arrival, repository)
    return Verdict(reason=f"nothing is started by {arrival.kind}")


def filtered(repository: Repository, changed: Sequence[str] | None, folder: str) -> str:
    """Return why nothing is delivered although something was pushed, empty when something that counts has changed.

    `changed` are files relative to the repository's root; none: it is not known what changed, so all has.
    """
    if changed is None:
        return ""
    prefix = "" if folder == "." else f"{folder}/"
    ours = [file.removeprefix(prefix) for file in changed if file.startswith(prefix)]
    if any(repository.counts(file) for file in ours):
        return ""
    if changed and not ours:
        return f"only files outside of {folder} have changed: {_few(changed)}"
    if not changed:
        return "no file has changed"
    key = "paths_ignore" if repository.paths_ignore else "paths"
    return f"only files have changed that repository.{key} leaves out: {_few(ours)}"


def why_no_rollback(arrival: Arrival, happening: str | None, live_since: datetime | None, changed_now: str = "") -> str:
    """Return why an alarm takes nothing back, empty when it does.

    It does when it went off within its time after a release, by which the environment was changed last. `happening` is
    what the environment's history says last, and when; `changed_now` says who changes it at this moment.
    """
    if arrival.action != "ALARM":
        return f"{arrival.subject} is {arrival.action}"
    if not arrival.environment:
        return "the connection names no environment: an alarm takes nothing back"
    if changed_now:
        return f"it is being changed: {changed_now}"
    if happening != "released" or live_since is None:
        return f"what is live was not released last, but {happening or 'never'}"
    rang = arrival.at or arrival.received
    if rang < live_since:
        return f"it went off at {rang:%Y-%m-%d %H:%M:%S}, before the release at {live_since:%H:%M:%S}"
    if rang - live_since > timedelta(minutes=arrival.within_minutes):
        return f"what is live has been for more than {counted(arrival.within_minutes, 'minute')}: it is not the cause"
    return ""


def _of_branch(arrival: Arrival, repository: Repository) -> Verdict:
    where = repository.environment_of_branch(arrival.name)
    if where and repository.after_workflow:
        return Verdict(reason=f"workflow {repository.after_workflow} has to succeed first: its end delivers")
    return _to(where, f"branch {arrival.name}", "repository.branches")


def _of_workflow(arrival: Arrival, repository: Repository) -> Verdict:
    if repository.after_workflow is None or arrival.subject != repository.after_workflow:
        return Verdict(reason=f"repository.after_workflow does not name {arrival.subject}")
    if arrival.fork:
        return Verdict(reason=f"{arrival.subject} did not run for a push to this repository")
    if arrival.action != "success":
        return Verdict(reason=f"{arrival.subject} ended {arrival.action}")
    where = repository.environment_of_branch(arrival.name)
    return _to(where, f"branch {arrival.name}", "repository.branches")


def _of_pull_request(arrival: Arrival, repository: Repository) -> Verdict:
    whose = "of a fork" if arrival.fork else "of this repository"
    if repository.pull_requests == "none" or (arrival.fork and repository.pull_requests != "all"):
        return Verdict(reason=f"repository.pull_requests is {repository.pull_requests}, and this one is {whose}")
    return Verdict(examine=True, reason=f"pull request {arrival.pull_request} {whose}")


def _to(environment: str | None, what: str, key: str) -> Verdict:
    if environment is None:
        return Verdict(reason=f"{key} has no pattern for {what}")
    return Verdict(environment=environment, reason=f"{what} goes to {environment}")


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
