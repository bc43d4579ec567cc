"""`headway status`: what is live where, who changes what, and how the last runs ended."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import print_json, print_table, say
from cli.project import AppName, ProjectFolder, app_here
from cli.session import running

if TYPE_CHECKING:
    from flows.overview import EnvironmentView

SHOWN = 70  # letters of a run's message


def status(
    app: AppName = None,
    project: ProjectFolder = None,
    everything: Annotated[bool, typer.Option("--all", help="Every application, wherever one stands.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print data.")] = False,
) -> None:
    """Show every environment with its live release, who holds it since when and why, and the last runs.

    In an application's folder: of that application.
    """
    running()
    from flows.overview import environments
    from flows.runs import latest

    only = None if everything else app or app_here(project)
    views, runs = environments(), latest(5, only)
    others = sorted({view.app for view in views} - {only}) if only else []
    views = [view for view in views if only in (None, view.app)]
    if as_json:
        data = {
            "environments": [view.model_dump(mode="json") for view in views],
            "runs": [run.model_dump(mode="json") for run in runs],
        }
        print_json(data)
        return
    if views:
        print_table(["environment", "release", "revision", "slot", "health", "url"], [_row(view) for view in views])
    else:
        say(f"nothing{f' of {only}' * bool(only)} was delivered yet")
    for view in views:
        _say_more(view)
    if runs:
        say("")
        rows = [(r.id[:8], r.name, r.state, r.message.splitlines()[0][:SHOWN] if r.message else "") for r in runs]
        print_table(["run", "name", "state", ""], rows)
    if others:
        say(f"also on this platform: {', '.join(others)} (--all shows everything)")


def _row(view: "EnvironmentView") -> tuple[str, ...]:
    live = view.state.live if view.state else None
    release = live.release if live else None
    health = view.problem or ("nothing is live" if not live else "healthy" if live.healthy else "unhealthy")
    return (
        f"{view.app} {view.environment}",
        release.fingerprint if release else "–",
        f"{release.revision.short} {release.revision.subject}"[:40] if release else "",
        f"{live.colour} {live.weight} %" if live else "",
        health,
        (view.state.url or "") if view.state else "",
    )


def _say_more(view: "EnvironmentView") -> None:
    """Say what stands beside the live release, and who holds or took the environment."""
    if view.state and view.state.kept and view.state.kept.release:
        beside = view.state.kept.release.fingerprint
        say(f"{view.environment} of {view.app}: {beside} stands beside it, without traffic")
    if view.busy:
        say(view.lease.describe(), "yellow")
    if view.drift and not view.drift.is_well:
        say(f"{view.drift.describe()}\n  seen {view.drift.at:%Y-%m-%d %H:%M} UTC", "yellow")
    if view.lease.was_taken_over and view.lease.takeover:
        say(view.lease.takeover.describe(), "yellow")
