"""`headway status`: what is live where, who changes what, what waits for somebody, and how the last runs ended."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli.output import AsJson, age, console, print_model, print_table, say
from cli.project import AppName, Everything, ProjectFolder, app_here
from cli.session import running

if TYPE_CHECKING:
    from flows.overview import EnvironmentView
    from flows.runs import RunView

SHOWN = 70  # letters of a run's message
LATEST = 5
NARROW = 100  # columns; in fewer a table of this width breaks its words


def status(
    app: AppName = None,
    project: ProjectFolder = None,
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """Show every environment: its live release, since when and by whom, what holds or freezes it; and the last runs.

    In an application's folder: of that application.
    """
    running()
    from flows.overview import app_names
    from flows.standing import standing

    only = None if everything else app or app_here(project)
    found = standing(only, LATEST)
    if as_json:
        print_model(found)
        return
    others = sorted({*app_names()} - {only}) if only else []
    if not found.environments:
        say(f"nothing{f' of {only}' * bool(only)} was delivered yet")
    elif console.width < NARROW:
        for view in found.environments:
            _say_narrow(view)
    else:
        columns = ["environment", "release", "revision", "since", "slot", "health", "url"]
        print_table(columns, [_row(view) for view in found.environments])
    for view in found.environments:
        for line, style in _more(view):
            say(line, style)
    for run in found.waiting:
        say(f"{run.name} waits for an answer: headway approve {run.id[:8]}, or headway reject {run.id[:8]}", "yellow")
    if found.runs:
        say("")
        _say_runs(found.runs)
    if others:
        say(f"also on this platform: {', '.join(others)} (--all shows everything)")


def _row(view: "EnvironmentView") -> tuple[str, ...]:
    live = view.state.live if view.state else None
    release = live.release if live else None
    return (
        f"{view.app} {view.environment}",
        release.fingerprint if release else "–",
        f"{release.revision.short} {release.revision.subject}"[:40] if release else "",
        _since(view),
        f"{live.colour} {live.weight} %" if live else "",
        _health(view),
        (view.state.url or "") if view.state else "",
    )


def _say_narrow(view: "EnvironmentView") -> None:
    """Say in a few short lines what a table has no room for."""
    environment, release, revision, since, slot, _, url = _row(view)
    say(f"{environment}: {_health(view)}", "bold")
    for line in (f"{release} {slot}", revision, since and f"live for {since}", url):
        if line.strip():
            say(f"  {line.strip()}")


def _say_runs(runs: "tuple[RunView, ...]") -> None:
    rows = [(r.id[:8], r.name, r.state, r.message.splitlines()[0][:SHOWN] if r.message else "") for r in runs]
    if console.width >= NARROW:
        print_table(["run", "name", "state", ""], rows)
        return
    for run, name, state, message in rows:
        say(f"{run} {name}: {state}")
        if message:
            say(f"  {message}")


def _health(view: "EnvironmentView") -> str:
    live = view.state.live if view.state else None
    return view.problem or ("nothing is live" if not live else "healthy" if live.healthy else "unhealthy")


def _since(view: "EnvironmentView") -> str:
    return age((datetime.now(UTC) - view.since).total_seconds()) if view.since else ""


def _more(view: "EnvironmentView") -> Iterator[tuple[str, str | None]]:
    """Yield what stands beside the live release, from whom that is, and who holds, froze or took the environment."""
    of = f"{view.environment} of {view.app}"
    if view.who.requested_by or view.who.let_in_by:
        asked = f"asked for by {view.who.requested_by}" * bool(view.who.requested_by)
        let_in = f"let in by {view.who.let_in_by}" * bool(view.who.let_in_by)
        yield f"{of}: {', '.join(filter(None, [asked, let_in]))}", None
    if view.state and view.state.kept and view.state.kept.release:
        yield f"{of}: {view.state.kept.release.fingerprint} stands beside it, without traffic", None
    if view.frozen:
        yield f"{of} is {view.frozen.describe()}", "yellow"
    if view.busy:
        yield view.lease.describe(), "yellow"
    if view.drift and not view.drift.is_well:
        yield f"{view.drift.describe()}\n  seen {view.drift.at:%Y-%m-%d %H:%M} UTC", "yellow"
    if view.rescan and not view.rescan.is_well:
        yield f"{view.rescan.describe()}\n  seen {view.rescan.at:%Y-%m-%d %H:%M} UTC", "yellow"
    if view.proof:
        yield f"{of}: last {view.proof.describe()}", None if view.proof.outcome == "pass" else "yellow"
    for line in view.backups.problems if view.backups else ():
        yield f"{of}: {line}", "yellow"
    if view.lease.was_taken_over and view.lease.takeover:
        yield view.lease.takeover.describe(), "yellow"
