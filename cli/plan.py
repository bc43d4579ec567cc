"""`headway plan`: what a delivery would do, without doing it."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import print_json, print_table, say, seconds
from cli.project import check_project
from cli.session import orchestrator
from delivery.app import App, Environment
from delivery.matrix import expand
from delivery.order import passed_before
from delivery.programs import git
from delivery.programs.checkout import check_sources
from delivery.release import Revision
from delivery.stand_ins import stricter


def plan(
    folder: Annotated[Path, typer.Argument(help="Folder with headway.yaml, in a git repository.")] = Path(),
    revision: Annotated[str, typer.Option(help="Commit, branch or tag.")] = "HEAD",
    environment: Annotated[str, typer.Option(help="Where it would go live.")] = "production",
    as_json: Annotated[bool, typer.Option("--json", help="Print data.")] = False,
) -> None:
    """Show what would be built, tested and released where, and what is live there now; changes nothing."""
    app = check_project(folder, revision, environment, allow_dirty=True)
    repository = git.top_level(folder.resolve())
    below = folder.resolve().relative_to(repository).as_posix()
    found = git.resolve(repository, revision, below)
    check_sources(repository, found.sha, below)
    stops = [*passed_before(app, environment), environment]
    cells = [cell.name for cell in expand(app)]
    live = {name: _live(app, name) for name in stops}
    if as_json:
        print_json(
            {
                "app": app.app,
                "revision": found.model_dump(mode="json"),
                "images": list(app.images),
                "cells": cells,
                "stand_ins": stricter(app.stand_ins),
                "environments": [_described(name, app.environments[name], live[name]) for name in stops],
            }
        )
        return
    say(f"{app.app} {found.short} {found.subject}")
    say(f"build      {', '.join(app.images)}")
    say(f"scan       blocks {', '.join(app.scan.block) or 'nothing'}; secrets: {app.scan.secrets}")
    say(f"test       {', '.join(cells) or 'nothing'} ({app.parallel_cells} at once)")
    say(f"stand-ins  {stricter(app.stand_ins)}")
    rows = [
        tuple(str(value) for value in _described(name, app.environments[name], live[name]).values()) for name in stops
    ]
    print_table(["environment", "approval", "shift", "watch", "acceptance", "live now"], rows)
    commits = _commits(repository, below, live[environment], found)
    if commits:
        say("commits that are not live yet:")
        for commit in commits:
            say(f"  {commit}")


def _described(name: str, environment: Environment, live: Revision | None) -> dict[str, str]:
    approval = environment.approval
    return {
        "environment": name,
        "approval": "nobody" if approval.by == "nobody" else f"a person, within {approval.timeout_seconds} s",
        "shift": " → ".join(f"{step.percent} %" for step in environment.shift.steps),
        "watch": seconds(environment.watch.seconds),
        "acceptance": ", ".join(environment.acceptance) or "–",
        "live": f"{live.short} {live.subject}" if live else "–",
    }


def _live(app: App, environment: str) -> Revision | None:
    """Return the revision that is live, or none when that cannot be told without bringing up the platform."""
    prefect = orchestrator()
    if not prefect.answers():
        return None
    from flows.overview import look_at

    state = look_at(app, environment).state
    slot = state.live if state else None
    return slot.release.revision if slot and slot.release else None


def _commits(repository: Path, below: str, live: Revision | None, new: Revision) -> list[str]:
    if live is None or live.sha == new.sha:
        return []
    return [
        f"{commit.sha[:7]} {commit.subject} ({commit.author})"
        for commit in git.log_between(repository, live.sha, new.sha, below)
    ]
