"""Follow a run on the terminal: its steps as they end, what it asks, how it ends."""

import getpass
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.prompt import Prompt
from rich.status import Status
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from cli.output import console, say, seconds
from delivery.changes.heartbeat import FolderHeartbeats
from delivery.errors import Interrupted, Rejected, Transient
from delivery.full_disk import full_home
from delivery.home import Home
from delivery.platform.orchestrator import Orchestrator
from delivery.waiting import until
from flows.runs import RunView, answer, cancel, look, one_connection, question

POLL_SECONDS = 0.5
STEPS_SECONDS = 1.0  # between two looks at all steps: six requests and more, where the run alone is one
UNSEEN_STEPS_SECONDS = 2.0  # the same where nobody sees them change: the output is no terminal
MOST_STEPS_SECONDS = 3.0
LATE_LOOKS = 3  # the server hears of the end of a step after that of its run, and never where a process died
SILENT_LOOKS = 5
STOP_SECONDS = 120
PATIENCE_SECONDS = 300
MARKS = {
    "COMPLETED": ("✓", "green"),
    "FAILED": ("✗", "red"),
    "CRASHED": ("✗", "red"),
    "CANCELLED": ("⊘", "yellow"),
}


def follow(run: str, prefect: Orchestrator, *, quiet: bool = False, stops: bool = True) -> RunView:
    """Print each step as it ends and return the run when it has ended.

    On the terminal the approval is asked for here. An interrupt stops the run, where it `stops` it, waits until it
    cleaned up, and raises Interrupted.
    """
    try:
        return _until_ended(run, prefect, quiet)
    except KeyboardInterrupt:
        if not stops:
            raise Interrupted(f"the run goes on: {prefect.run_url(run)}") from None
        with _undisturbed():
            say("\ninterrupted: stopping the run, it removes what it started …", "yellow")
            cancel(run)
        ended = _wait_for_end(run)
        if ended.has_ended:
            raise Interrupted(
                f"the run was interrupted and ended {ended.state}; what it had started is removed"
            ) from None
        raise Interrupted(f"the run was interrupted and is still {ended.state}; see `headway status`") from None


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep further interrupts from what is done now: who ends a job tells all of its processes, some of them twice."""
    before = {one: signal.signal(one, signal.SIG_IGN) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def watch(run: str, prefect: Orchestrator) -> RunView | None:
    """Print each step as it ends and return the run when it has ended; none when the user has seen enough.

    Whoever looks on neither stops the run nor answers what it asks.
    """
    try:
        return _until_ended(run, prefect, quiet=False, asks=False)
    except KeyboardInterrupt:
        return None


def _until_ended(run: str, prefect: Orchestrator, quiet: bool, *, asks: bool = True) -> RunView:
    shown: set[str] = set()
    warned = told = late = silent = 0
    asked = False
    with one_connection(), console.status("waiting for a worker …") as status:
        while True:
            began = time.monotonic()
            view = _look_patiently(run, status)
            took = time.monotonic() - began
            if not quiet:
                _show_ended(view, shown)
                for warning in view.warnings[warned:]:
                    say(f"  ! {warning}", "yellow")
                for doing in view.progress[told:]:
                    say(f"  … {doing}", "dim")
                warned, told = len(view.warnings), len(view.progress)
                _show_running(view, status)
            late += view.has_ended
            silent = 0 if _is_heard_of(view, Home.current()) else silent + 1
            if silent > SILENT_LOOKS:
                raise Rejected(f"the run ended without a word\n{full_home(Home.current())}")
            if view.has_ended and (late > LATE_LOOKS or all(step.has_ended for step in view.steps)):
                return view
            if view.waits and not asked and (text := question(view.id)):
                asked = True
                status.stop()
                _ask(view, text, prefect, answers=asks)
                status.start()
            asked = asked and view.waits
            _pause(view, pause_after(took, is_seen=console.is_terminal), status)


def _is_heard_of(view: RunView, home: Home) -> bool:
    """Whether the server can still hear how the run ends: not of one whose process ended in a home without room."""
    return view.has_ended or view.waits or not full_home(home) or view.id in FolderHeartbeats(home.heartbeats).alive()


def pause_after(look_seconds: float, *, is_seen: bool) -> float:
    """Return how long not to look: looking takes a fifth of the time at most, so that a busy machine delivers first."""
    return min(MOST_STEPS_SECONDS, max(STEPS_SECONDS if is_seen else UNSEEN_STEPS_SECONDS, 4 * look_seconds))


def _pause(view: RunView, pause_seconds: float, status: Status) -> None:
    """Return after so long, or sooner when the run itself, without its steps, is not what it was."""
    until = time.monotonic() + pause_seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(POLL_SECONDS, left))
        if left > POLL_SECONDS and _look_patiently(view.id, status, steps=False).state != view.state:
            return


def _look_patiently(run: str, status: Status, *, steps: bool = True) -> RunView:
    """Return the run; a server that is restarted meanwhile is waited for, because the run outlives it."""
    patiently = Retrying(
        retry=retry_if_exception_type(Transient),
        stop=stop_after_delay(PATIENCE_SECONDS),
        wait=wait_fixed(POLL_SECONDS),
        before_sleep=lambda _: status.update("the Prefect server does not answer; waiting for it …"),
        reraise=True,
    )
    return patiently(look, run, steps=steps)


def _show_ended(view: RunView, shown: set[str]) -> None:
    for step in view.steps:
        if step.id not in shown and step.has_ended:
            shown.add(step.id)
            if step.did_nothing:
                continue
            mark, style = MARKS.get(step.kind, ("·", "yellow"))
            say(f"  {mark} {step.name:<44} {seconds(step.seconds):>10}", style)


def _show_running(view: RunView, status: Status) -> None:
    running = [step.name for step in view.steps if step.state == "running"]
    status.update(", ".join(running) or view.state.lower())


def _ask(view: RunView, text: str, prefect: Orchestrator, *, answers: bool) -> None:
    """Ask on the terminal when there is one and it `answers`, else say how to answer."""
    say(f"\n{text}\n")
    say(f"answer in the UI: {prefect.run_url(view.id)}")
    say(f"or: headway approve {view.id[:8]}   or: headway reject {view.id[:8]}\n")
    if not (answers and sys.stdin.isatty() and sys.stdout.isatty()):
        return
    decision = Prompt.ask("Let this release in?", choices=["approve", "reject", "later"], default="later")
    if decision == "later":
        return
    approver = Prompt.ask("Who decides", default=getpass.getuser())
    comment = Prompt.ask("Comment", default="")
    try:
        answer(view, "approve" if decision == "approve" else "reject", approver, comment)
    except Rejected as refusal:
        say(str(refusal), "yellow")  # somebody answered elsewhere meanwhile


def _wait_for_end(run: str) -> RunView:
    """Return the run when it has ended, or as it is when that takes too long."""
    until(lambda: look(run, steps=False).has_ended, seconds=STOP_SECONDS, every=POLL_SECONDS)
    return look(run, steps=False)
