"""`headway destroy`: take away what an environment stands on, after showing what is lost."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from cli.asking import Yes, ask_for
from cli.output import AsJson, print_model, say, warn
from cli.project import ProjectFolder, find_folder
from cli.session import running
from cli.shown import Destroyed
from delivery.counting import counted
from delivery.errors import Misconfigured, Rejected
from delivery.programs import git
from delivery.programs.checkout import export
from delivery.releases.infrastructure import InfrastructurePlan
from delivery.spec.app import environment_of
from delivery.spec.configuration import load_project

PRODUCTION = "production"


def destroy(
    environment: Annotated[str, typer.Argument(help="The environment whose infrastructure goes.")],
    project: ProjectFolder = None,
    revision: Annotated[str, typer.Option(help="Commit, branch or tag with the stack's files.")] = "HEAD",
    yes: Yes = False,
    yes_destroy_production: Annotated[
        bool, typer.Option("--yes-destroy-production", help="Without it production is refused.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Destroy an environment's infrastructure by its stack of Terraform; what is lost is shown first."""
    running()
    from flows.infrastructure import destroy as flow
    from flows.infrastructure import plan_destruction

    folder = find_folder(project).resolve()
    repository = git.top_level(folder)
    below = folder.relative_to(repository).as_posix()
    found = git.resolve(repository, revision, below)
    with TemporaryDirectory(prefix="headway-destroy-") as scratch:
        source = Path(scratch) / "source"
        export(repository, found.sha, below, source)
        app = load_project(source)
        environment_of(app, environment)
        if environment == PRODUCTION and not yes_destroy_production:
            raise Misconfigured("headway destroy", PRODUCTION, "other environments", "--yes-destroy-production")
        plan = plan_destruction(app, environment, source, "destroy")
        _show(plan)
        if not plan.changes:
            raise Rejected(f"there is nothing of {environment} of {app.app} in workspace {plan.workspace}")
        ask_for(environment, what="the environment's name", where="headway destroy", yes=yes)
        stays = asyncio.run(flow(app, str(source), plan))
    if as_json:
        print_model(Destroyed.model_validate(dict(plan) | {"stays": stays}))
    else:
        say(f"destroyed {environment} of {app.app}: {counted(len(plan.changes), 'resource')}", "green")
        for line in stays:
            say(f"  stays: {line}")


def _show(plan: InfrastructurePlan) -> None:
    """Say what is about to go: on stderr, for the output may be data."""
    warn(f"plan {plan.short} of workspace {plan.workspace}: {plan.summary()}")
    for line in plan.lines():
        warn(line)
