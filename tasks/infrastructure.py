"""Plan what an environment stands on, and carry out exactly that plan."""

from datetime import UTC, datetime
from pathlib import Path

from blocks.artifact_store import current_store
from delivery import opening
from delivery.changes.archive import Archive
from delivery.errors import HeadwayError, Misconfigured, Rejected, Transient
from delivery.ports.infrastructure import Infrastructure, PlannedInfrastructure
from delivery.releases.approval import Decision, check_losses
from delivery.releases.infrastructure import Drift, InfrastructurePlan
from delivery.releases.order import Order
from delivery.spec.app import App, environment_of
from tasks.environment import load_settings
from tasks.known import KnownEnvironment
from tasks.lease import lease_book
from tasks.notes import last_notes, note
from tasks.plan_book import plan_book
from tasks.sources import laid_out
from tasks.step import log, step

# What headway.yaml may allow an apply, waiting for the state and setting up.
MOST_SECONDS = 21600 + 3600 + 1800


def open_infrastructure(app: App, environment: str, source: Path, run: str) -> Infrastructure | None:
    """Return the infrastructure of an environment whose files lie in `source`, or none when it names none."""
    if environment_of(app, environment).infrastructure is None:
        return None
    settings = load_settings(app, environment)
    return opening.open_infrastructure(app, environment, settings, source=source, run=run)


async def plan_infrastructure(order: Order, environment: str) -> InfrastructurePlan | None:
    """Return what has to change under an environment, kept so that exactly that can be done; none: nothing is named."""
    if environment_of(order.app, environment).infrastructure is None:
        return None
    return await make_plan(order, environment)


@step(timeout_seconds=MOST_SECONDS, name="plan the infrastructure of {environment}")
def make_plan(order: Order, environment: str) -> InfrastructurePlan:
    """Plan, keep the plan encrypted, and return what is known of it."""
    planned = _opened(order, environment).plan()
    check_outputs(planned, order.app, environment)
    plan = plan_book().keep(planned)
    if not plan.changes_anything:
        plan_book().keep_outputs(order.app.app, environment, planned.outputs.values())
    log().info("plan %s for %s: %s", plan.short, environment, plan.summary())
    for change in plan.drift:
        log().warning("changed beside Terraform: %s", change)
    return plan


@step(timeout_seconds=MOST_SECONDS, name="apply plan {plan.short} to {environment}")
def apply_infrastructure(
    order: Order, environment: str, plan: InfrastructurePlan, decision: Decision | None, sequence: int
) -> None:
    """Carry out the plan that was made, for the holder of lease `sequence`.

    Rejected when it would lose what nobody let it lose, was carried out before, or the state is another one by now.
    """
    if plan_book().was_applied(plan, order.run):
        return
    check_losses(plan, decision)
    if lease_book().read(order.app.app, environment).sequence != sequence:
        raise Rejected(f"the lease of {environment} is over: plan {plan.short} is not carried out")
    _carry_out(_opened(order, environment), plan, order.run)
    note(order.run, "infrastructure", environment, plan)


def _carry_out(infrastructure: Infrastructure, plan: InfrastructurePlan, run: str) -> None:
    """Take a plan, do what it says, and note that it was done to its end."""
    book = plan_book()
    content = book.take(plan, infrastructure.whose, run=run)
    told = infrastructure.apply(PlannedInfrastructure(plan, content))
    book.keep_outputs(plan.app, plan.environment, told.values())
    book.close(plan, run)


def check_outputs(planned: PlannedInfrastructure, app: App, environment: str) -> None:
    """Return when the stack says all that the environment's target asks of it; Misconfigured otherwise."""
    needed = environment_of(app, environment).target.needed_outputs(database=app.database is not None)
    if missing := [name for name in needed if name not in planned.declared]:
        raise Misconfigured(
            f"headway.yaml: environments.{environment}.infrastructure: stack {planned.plan.stack}",
            f"has no output {' and no output '.join(missing)}, which the environment's target needs",
            ", ".join(planned.declared) or "none",
            next_step="add it to the stack, or say under `target` what it would tell",
        )


def _opened(order: Order, environment: str) -> Infrastructure:
    found = open_infrastructure(order.app, environment, laid_out(order), order.run)
    assert found  # asked for only where the environment names one
    return found


@step(timeout_seconds=MOST_SECONDS, name="compare the infrastructure of {known.environment}", keep=False)
def find_drift(known: KnownEnvironment, run: str) -> Drift | None:
    """Return what was changed beside Terraform since the last delivery, and keep it; none: nothing is named.

    The files are those of the run that was live last: what was committed since is no drift.
    """
    app, environment = known.app.app, known.environment
    if environment_of(known.app, environment).infrastructure is None:
        return None
    found = Drift(at=datetime.now(UTC), app=app, environment=environment)
    try:
        order = _order_of_live(app, environment).model_copy(update={"run": run})
        found = found.model_copy(update={"changes": _opened(order, environment).drift()})
    except Transient:
        raise
    except HeadwayError as error:  # to know nothing is not to know that nothing was changed
        found = found.model_copy(update={"problem": str(error)})
    plan_book().note_drift(found)
    if not found.is_well:
        log().warning("%s", found.describe())
    return found


def last_drift(app: str, environment: str) -> Drift | None:
    """Return what the last look at an environment's infrastructure showed."""
    return plan_book().last_drift(app, environment)


def preview(app: App, environment: str, source: Path) -> InfrastructurePlan | None:
    """Return what has to change under an environment as its files in `source` say; nothing is kept."""
    infrastructure = open_infrastructure(app, environment, source, "")
    return infrastructure.plan().plan if infrastructure else None


def plan_destruction(app: App, environment: str, source: Path, run: str) -> InfrastructurePlan:
    """Return a plan, kept, by which nothing is left of what an environment stands on."""
    infrastructure = open_infrastructure(app, environment, source, run)
    if infrastructure is None:
        where = f"environments.{environment}.infrastructure"
        raise Misconfigured(where, "there is none, so nothing was made by Headway that it could destroy")
    return plan_book().keep(infrastructure.plan(destroy=True))


@step(timeout_seconds=MOST_SECONDS, retries=0, name="destroy the infrastructure of {environment}", keep=False)
def carry_out_destruction(
    app: App, environment: str, source: str, plan: InfrastructurePlan, run: str
) -> tuple[str, ...]:
    """Carry out a plan that somebody has agreed to, whatever it loses; return in words what is left on purpose."""
    infrastructure, settings = open_infrastructure(app, environment, Path(source), run), load_settings(app, environment)
    assert infrastructure
    _carry_out(infrastructure, plan, run)
    try:
        return opening.what_stays(app, environment, settings)
    except HeadwayError as error:  # it is destroyed all the same
        return (f"not known, because it could not be asked: {error}",)


def _order_of_live(app: str, environment: str) -> Order:
    """Return what the run was asked to do that changed an environment last."""
    for entry in reversed(Archive(current_store()).history(app, environment)):
        if orders := last_notes(entry.run, "order", Order):
            return orders[0]
    raise Rejected(f"nothing is kept of how {environment} of {app} was delivered")
