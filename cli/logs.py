"""`headway logs`: what a service, a backing service, the database or the router prints."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from cli.moments import moment
from cli.output import print_line
from cli.project import AppName, ProjectFolder, Where, choose_app
from cli.session import running


def logs(
    service: Annotated[str, typer.Argument(help="A service, a backing service, `database` or `router`.")],
    environment: Where = "production",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Also what comes, until you stop it.")] = False,
    tail: Annotated[int | None, typer.Option(min=0, help="Only so many last lines of each instance.")] = None,
    since: Annotated[str | None, typer.Option(help="Only from then on: 30s, 15m, 2h, 1d, or 2030-12-31T10:00.")] = None,
    slot: Annotated[Literal["blue", "green"] | None, typer.Option(help="Of a service; none: the live one.")] = None,
    app: AppName = None,
    project: ProjectFolder = None,
) -> None:
    """Print what a part of an environment printed: every instance of the live slot, without the secrets."""
    began = moment(since, "--since", datetime.now(UTC), ahead=False) if since else None
    running()
    from flows.logs import LogWish, read

    wish = LogWish(part=service, slot=slot, tail=tail, since=began, follow=follow)
    lines = read(choose_app(app, project), environment, wish)
    for line in lines:
        print_line(line.text if line.source == service else f"{line.source} | {line.text}")
