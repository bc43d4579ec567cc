"""`headway remove`: take an application, or one of its environments, off the platform, after showing what goes."""

import asyncio
from typing import Annotated

import typer

from cli.asking import Yes, ask
from cli.output import AsJson, print_model, say, warn
from cli.project import ProjectFolder, choose_app
from cli.session import running
from cli.shown import Removed
from delivery.counting import counted
from delivery.home import Home
from delivery.ports.remains import EnvironmentRemains, Remains

SHOWN = 8


def remove(
    app: Annotated[str | None, typer.Argument(help="The application; none: the one whose folder this is.")] = None,
    environment: Annotated[list[str] | None, typer.Option(help="Only this one; may be given several times.")] = None,
    project: ProjectFolder = None,
    backups: Annotated[bool, typer.Option("--backups", help="Also the backups that are kept of it.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove an application's environments with their databases, and its images; reports and evidence stay."""
    running()
    from flows.overview import app_names
    from flows.remove import check_nobody_uses, find_remains
    from flows.remove import remove as flow

    app = choose_app(app, project)
    remains = find_remains(app, environment)
    what = f"{', '.join(environment)} of {app}" if environment else app
    if not remains:
        known = ", ".join(app_names()) or "none"
        warn(f"there is nothing of {what} on this platform; applications here: {known}")
    else:
        check_nobody_uses(remains)
        _show(remains, backups=backups)
        stays = f"nothing was removed: {what} stays as it is"
        ask(f"Remove {what}?", where="headway remove", otherwise=stays, yes=yes)
    removed = asyncio.run(flow(app, [one.environment for one in remains.environments], backups)) if remains else []
    if as_json:
        print_model(Removed(app=app, removed=tuple(removed)))
    elif remains:
        say(f"removed {what}: {counted(len(removed), 'thing')}", "green")
        say(f"its reports, releases' evidence and history stay in {Home.current().store_address}")


def _show(remains: Remains, *, backups: bool) -> None:
    """Say what is about to go: on stderr, for the output may be data."""
    warn(f"this removes for good, of {remains.app}:")
    for one in remains.environments:
        for line in _lines(one):
            warn(f"  {one.environment:<12} {line}")
    if remains.repositories:
        more = f" and {len(remains.repositories) - SHOWN} more" if len(remains.repositories) > SHOWN else ""
        warn(f"  {'images':<12} {', '.join(remains.repositories[:SHOWN])}{more}")
    kept = [one for one in remains.environments if one.backups]
    for one in kept:
        many = counted(one.backups, "backup")
        warn(
            f"{many} of {one.environment} {'go' if backups else 'stay'}{'' if backups else ', in ' + one.backups_where}"
        )
    if not kept and any(belonging.keeps for one in remains.environments for belonging in one.belongings):
        warn("no backup of it is kept: headway backup keeps one, and removing the application does not remove it")


def _lines(one: EnvironmentRemains) -> list[str]:
    lines = [f"release {one.live}, which is live"] if one.live else []
    lines += [
        f"{belonging.keeps}: {belonging.kind} {belonging.name}" for belonging in one.belongings if belonging.keeps
    ]
    lines += [f"secrets and addresses: block {one.settings}"] if one.settings else []
    return [*lines, *([one.counted] if one.counted else [])] or ["nothing that runs"]
