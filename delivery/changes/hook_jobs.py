"""A hook as a job beside an environment, with what it is told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr

from delivery.model import Model
from delivery.ports.jobs import Job
from delivery.releases.order import Order
from delivery.releases.release import Release
from delivery.spec.hooks import Hook, HookMoment

NAME = "hook"
WENT_LIVE = ("delivered", "rolled-back")
MOST_REASON = 500  # letters; a variable is no place for a log


class HookEvent(Model):
    """What hooks are run for: a release, or a rollback to it, that begins in an environment, or how it ended there."""

    environment: str
    release: Release
    sequence: int = Field(description="of the lease it is done under")
    moment: HookMoment = "before_release"
    outcome: str = ""
    reason: str = Field("", description="why it did not go live, or not stay")

    def ended(self, outcome: str, reason: str = "") -> Self:
        """Return its end."""
        moment: HookMoment = "after_release" if outcome in WENT_LIVE else "after_failure"
        return self.model_copy(update={"moment": moment, "outcome": outcome, "reason": reason})


def told(order: Order, event: HookEvent) -> dict[str, str]:
    """Return the variables that every hook has; before a release nobody knows how it ends."""
    return {
        "HEADWAY_HOOK": event.moment,
        "HEADWAY_KIND": "rollback" if order.goes_back else "release",
        "HEADWAY_APP": order.app.app,
        "HEADWAY_ENVIRONMENT": event.environment,
        "HEADWAY_RELEASE": event.release.fingerprint,
        "HEADWAY_REVISION": event.release.revision.sha,
        "HEADWAY_RUN": order.run,
        "HEADWAY_OUTCOME": event.outcome,
        "HEADWAY_REASON": event.reason.strip().partition("\n")[0][:MOST_REASON],
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
