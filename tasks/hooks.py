"""Run a team's own commands around a release."""

import time

from delivery.changes.hook_jobs import HookEvent, hook_job, told
from delivery.errors import HeadwayError, Misconfigured, Rejected
from delivery.home import Home
from delivery.ports.environment import OpenEnvironment
from delivery.releases.order import Order
from delivery.spec.hooks import MOST_HOOK_SECONDS, BeforeHook, Hook, HookResult
from delivery.spec.variables import fill
from tasks.environment import changing, open_environment
from tasks.named_secrets import hook_secrets
from tasks.notes import note
from tasks.step import log, step
from tasks.tests import keep_files

AROUND_SECONDS = 600  # an image that is not here yet


@step(
    timeout_seconds=MOST_HOOK_SECONDS + AROUND_SECONDS,
    name="hook {event.moment} of {event.environment}: {hook.label}",
    keep=False,
)
def run_hook(order: Order, event: HookEvent, number: int, hook: Hook) -> HookResult:
    """Return how a hook ended; one that failed warns, and Rejected where it has a say and is to stop the release."""
    began = time.monotonic()
    environment, key = event.environment, f"hooks.{event.moment}[{number}]"
    try:
        problem = _problem(order, event, key, hook)
    except (Rejected, Misconfigured) as refusal:  # what cannot be run has failed
        problem = str(refusal)
    fields = {"environment": environment, "at": event.moment, "label": hook.label, "problem": problem}
    result = HookResult.model_validate(fields | {"seconds": round(time.monotonic() - began, 3)})
    note(order.run, "hooks", f"{environment} {key}", result)
    if result.passed:
        log().info("hook %s ended well in %.1f s", key, result.seconds)
    elif isinstance(hook, BeforeHook) and hook.when_failed == "stop":
        raise Rejected(f"{environment}: {key} failed, before anything was changed: {problem}")
    else:
        log().warning("%s: %s failed: %s", environment, key, problem)
    return result


def _problem(order: Order, event: HookEvent, key: str, hook: Hook) -> str:
    where = event.environment
    place = Home.current().work / order.run / "hooks" / where / f"{key}-{time.monotonic_ns()}"
    secrets = hook_secrets(key, hook)
    with (
        changing(order, where, event.sequence) as target,
        open_environment(order.app, where, event.sequence) as opened,
    ):
        target.claim()  # what a job needs beside it is there, before the first release as well
        access = opened.database.find() if order.app.database else None
        env = fill(f"{key}.env", hook.env, access.facts() if access else {})
        env = {**env, **_base_url(opened), **told(order, event)}
        job = hook_job(
            hook,
            opened.image(event.release, hook.image),
            order.run,
            place / "log.txt",
            env=env,
            secrets=secrets,
            hide=(access.password,) if access else (),
        )
        problem = opened.jobs.run(job).problem(hook.timeout_seconds)
    keep_files(order, f"{where}-{key}-{place.name.rpartition('-')[2]}", place)
    return problem


def _base_url(opened: OpenEnvironment) -> dict[str, str]:
    """Return where the environment is asked as its users ask it; before its first release there is no such place."""
    try:
        return {"BASE_URL": opened.target.address()}
    except HeadwayError:
        return {}
