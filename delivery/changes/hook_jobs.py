"""A hook as a job beside an environment, with what it is told."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from delivery.ports.jobs import Job
from delivery.releases.order import Order
from delivery.releases.release import Release
from delivery.spec.hooks import Hook, HookMoment

NAME = "hook"
MOST_REASON = 500  # letters; a variable is no place for a log


def told(
    order: Order, environment: str, release: Release, moment: HookMoment, outcome: str = "", reason: str = ""
) -> dict[str, str]:
    """Return the variables that every hook has; before a release nobody knows how it ends."""
    return {
        "HEADWAY_HOOK": moment,
        "HEADWAY_KIND": "rollback" if order.goes_back else "release",
        "HEADWAY_APP": order.app.app,
        "HEADWAY_ENVIRONMENT": environment,
        "HEADWAY_RELEASE": release.fingerprint,
        "HEADWAY_REVISION": release.revision.sha,
        "HEADWAY_RUN": order.run,
        "HEADWAY_OUTCOME": outcome,
        "HEADWAY_REASON": reason.strip().partition("\n")[0][:MOST_REASON],
    }


def hook_job(
    hook: Hook,
    image: str,
    run: str,
    log: Path,
    *,
    env: Mapping[str, str],
    secrets: Mapping[str, SecretStr],
    hide: tuple[SecretStr, ...] = (),
) -> Job:
    """Return the job that runs a hook; neither `secrets` nor what `hide` holds are in its log."""
    return Job(
        name=NAME,
        image=image,
        run=run,
        log=log,
        command=None if hook.command is None else tuple(hook.command),
        env=env,
        secrets=secrets,
        hide=hide,
        timeout_seconds=hook.timeout_seconds,
    )
