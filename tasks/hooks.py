"""Run a team's own commands around a release."""

import time

from delivery.changes.hook_jobs import hook_job, told
from delivery.errors import HeadwayError, Misconfigured, Rejected
from delivery.home import Home
from delivery.ports.environment import OpenEnvironment
from delivery.releases.order import Order
from delivery.releases.release import Release
from delivery.spec.hooks import MOST_HOOK_SECONDS, BeforeHook, Hook, HookMoment, HookResult
from delivery.spec.variables import fill
from tasks.environment import changing, open_environment
from tasks.named_secrets import hook_secrets
from tasks.notes import note
from tasks.step import log, step
from tasks.tests import keep_files

AROUND_SECONDS = 600  # an image that is not here yet


@step(
    timeout_seconds=MOST_HOOK_SECONDS + AROUND_SECONDS,
    name="hook {moment} of {environment}: {hook.label}",
    keep=False,
)
def run_hook(
    order: Order,
    environment: str,
    release: Release,
    sequence: int,
    moment: HookMoment,
    number: int,
    hook: Hook,
    outcome: str = "",
    reason: str = "",
) -> HookResult:
    """Return how a hook ended; one that failed warns, and Rejected where it has a say and is to stop the release."""
    began = time.monotonic()
    key = f"hooks.{moment}[{number}]"
    variables = told(order, environment, release, moment, outcome, reason)
    try:
        problem = _problem(order, environment, release, sequence, key, hook, variables)
    except (Rejected, Misconfigured) as refusal:  # what cannot be run has failed
        problem = str(refusal)
    fields = {"environment": environment, "at": moment, "label": hook.label, "problem": problem}
    result = HookResult.model_validate(fields | {"seconds": round(time.monotonic() - began, 3)})
    note(order.run, "hooks", f"{environment} {key}", result)
    if result.passed:
        log().info("hook %s ended well in %.1f s", key, result.seconds)
    elif isinstance(hook, BeforeHook) and hook.when_failed == "stop":
        raise Rejected(f"{environment}: {key} failed, before anything was changed: {problem}")
    else:
        log().warning("%s: %s failed: %s", environment, key, problem)
    return result


def _problem(
    order: Order, environment: str, release: Release, sequence: int, key: str, hook: Hook, variables: dict[str, str]
) -> str:
    place = Home.current().work / order.run / "hooks" / environment / f"{key}-{time.monotonic_ns()}"
    secrets = hook_secrets(key, hook)
    with changing(order, environment, sequence) as target, open_environment(order.app, environment, sequence) as opened:
        target.claim()  # what a job needs beside it is there, before the first release as well
        access = opened.database.find() if order.app.database else None
        env = {**fill(f"{key}.env", hook.env, access.facts() if access else {}), **_base_url(opened), **variables}
        job = hook_job(
            hook,
            opened.image(release, hook.image),
            order.run,
            place / "log.txt",
            env=env,
            secrets=secrets,
            hide=(access.password,) if access else (),
        )
        problem = opened.jobs.run(job).problem(hook.timeout_seconds)
    keep_files(order, f"{environment}-{key}-{place.name.rpartition('-')[2]}", place)
    return problem


def _base_url(opened: OpenEnvironment) -> dict[str, str]:
    """Return where the environment is asked as its users ask it; before its first release there is no such place."""
    try:
        return {"BASE_URL": opened.target.address()}
    except HeadwayError:
        return {}
