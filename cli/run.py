"""`headway run`: deliver a revision and follow it."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from cli.asking import Yes, login_name
from cli.output import AsJson, say
from cli.platform import bring_up
from cli.project import check_project, find_folder, remember_project
from cli.session import orchestrator
from cli.steal import Steal, choose_holder
from delivery.releases.run_names import delivery_name
from delivery.spec.app import passed_before


def run(
    folder: Annotated[Path | None, typer.Argument(help="Folder with headway.yaml, in a git repository.")] = None,
    revision: Annotated[str, typer.Option(help="Commit, branch or tag.")] = "HEAD",
    environment: Annotated[str, typer.Option(help="Where it shall go live.")] = "production",
    allow_dirty: Annotated[bool, typer.Option(help="Deliver the commit although files are changed.")] = False,
    follow: Annotated[bool, typer.Option(help="Wait for the end and print each step.")] = True,
    steal: Steal = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Bring up the platform, deliver a revision, follow it to its end.

    Exit codes: 0 delivered or unchanged, 1 rejected by a gate, 2 misconfigured, 3 withdrawn, 130 interrupted.
    """
    began = float(os.environ.get("HEADWAY_STARTED") or time.time())
    orchestrator()  # sets the environment before anything imports Prefect
    folder = find_folder(folder)
    app, found = check_project(folder, revision, environment, allow_dirty=allow_dirty)
    way = [environment, *reversed(passed_before(app, environment))]
    holder = choose_holder(app.app, way, yes=yes) if steal else None
    prefect = bring_up(quiet=as_json)
    remember_project(prefect.home, folder)

    from cli.ending import end
    from cli.follow import follow as follow_run
    from flows.runs import start

    ready = time.time()
    parameters = {"project": str(folder.resolve()), "revision": found.sha, "environment": environment, "steal": holder}
    started = start("deliver/local", parameters, delivery_name(app.app, found.short, environment), login_name())
    if not follow:
        say(f"{started.name}: run {started.id[:8]}, {prefect.run_url(started.id)}")
        return 0
    if not as_json:
        say(f"\n{started.name}: run {started.id[:8]}")
    ended = follow_run(started.id, prefect, quiet=as_json)
    return end(ended, prefect, as_json=as_json, set_up_seconds=ready - began, seconds_in_all=time.time() - began)
