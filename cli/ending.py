"""Say how a run ended, and turn that into the exit code."""

from contextlib import suppress

from cli.output import complain, print_model, print_table, say, seconds
from delivery.counting import counted
from delivery.errors import HeadwayError, Interrupted
from delivery.home import Home
from delivery.platform.orchestrator import Orchestrator
from delivery.report.record import DeliveryRecord
from delivery.state import open_store
from flows.ending import EXIT_CODES
from flows.runs import RunView

SHOWN_STEPS = 8


class RunEnded(DeliveryRecord):
    """The record of a run that was waited for, with what the command ended with."""

    exit_code: int
    set_up_seconds: float


class RunLost(RunView):
    """A run that died before it could write its record, as the server knows it."""

    exit_code: int
    set_up_seconds: float


def end(run: RunView, prefect: Orchestrator, *, as_json: bool, set_up_seconds: float, seconds_in_all: float) -> int:
    """Print what came out of the run, where everything is and what took how long; return the exit code."""
    record = None
    with suppress(HeadwayError):  # who follows a run from another machine may not reach the store
        record = read_record(run.id)
    code = EXIT_CODES.get(run.state, EXIT_CODES["Rejected"])
    if as_json:
        more = {"exit_code": code, "set_up_seconds": set_up_seconds}
        shown = RunEnded.model_validate(dict(record) | more) if record else RunLost.model_validate(dict(run) | more)
        print_model(shown)
        return code
    _print_outcome(run, record)
    if record:
        _print_steps(record)
        _print_figures(record)
        if record.url:
            say(f"application   {record.url}")
    say(f"run           {prefect.run_url(run.id)}")
    if record:
        say(f"report        {record.report}")
    delivery = seconds_in_all - set_up_seconds
    say(f"time          {seconds(seconds_in_all)}: set-up {seconds(set_up_seconds)}, delivery {seconds(delivery)}")
    return code


def read_record(run: str) -> DeliveryRecord | None:
    """Return the newest record of a run, or none when it died before it could write one."""
    store = open_store(Home.current().store_address)
    keys = [key for key in store.keys(f"runs/{run}") if key.startswith(f"runs/{run}/record-")]
    return DeliveryRecord.model_validate_json(store.get(keys[-1])) if keys else None


def _print_outcome(run: RunView, record: DeliveryRecord | None) -> None:
    if run.state == "Completed" and record and record.release:
        verb = "rolled back to" if record.kind == "rollback" else "delivered"
        subject = record.release.revision.subject
        say(f"\n{record.name}: {verb} {record.release.fingerprint} ({subject})", "green")
    elif run.state == "Completed":  # of no delivery, or its record lies where this machine does not look
        say(f"\n{run.name}: completed", "green")
    elif run.state == "Unchanged":
        say(f"\n{run.name}: unchanged: {run.message}", "green")
    elif run.state == "Cancelled":
        complain(str(Interrupted(f"{run.name}: the run was cancelled; nothing of it is left")))
    else:
        complain(f"{run.name}: {run.state.lower()}: {run.message}")


def _print_steps(record: DeliveryRecord) -> None:
    slowest = sorted(record.steps, key=lambda step: -step.seconds)[:SHOWN_STEPS]
    shown = [step for step in record.steps if step in slowest]
    if shown:
        say(f"\nthe longest of {counted(len(record.steps), 'step')}:")
        print_table(["phase", "step", "time"], [(step.phase, step.name, seconds(step.seconds)) for step in shown])


def _print_figures(record: DeliveryRecord) -> None:
    for shown in record.rehearsals:
        say(f"rollback      {shown.environment}: {shown.describe()}")
    for backup in record.backups:
        rows = f"{counted(backup.tables, 'table')}, {counted(backup.rows, 'row')}"
        times = f"RPO {backup.rpo_seconds:.2f} s, RTO {backup.rto_seconds:.2f} s"
        say(f"backup        {backup.environment}: {rows} restored, {times}")
    for release in record.releases:
        if release.requests or release.cut:
            say(f"traffic       {release.environment}: {release.counted()}")
