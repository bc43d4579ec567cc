"""`headway logs`: what a service, a backing service, the database or the router prints."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import typer

from cli.output import print_line
from cli.project import AppName, ProjectFolder, choose_app
from cli.session import running
from delivery.errors import Misconfigured

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def logs(
    service: Annotated[str, typer.Argument(help="A service, a backing service, `database` or `router`.")],
    environment: Annotated[str, typer.Option(help="Where.")] = "production",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Also what comes, until you stop it.")] = False,
    tail: Annotated[int | None, typer.Option(min=0, help="Only so many last lines of each instance.")] = None,
    since: Annotated[str | None, typer.Option(help="Only from then on: 30s, 15m, 2h, 1d, or 2030-12-31T10:00.")] = None,
    slot: Annotated[Literal["blue", "green"] | None, typer.Option(help="Of a service; none: the live one.")] = None,
    app: AppName = None,
    project: ProjectFolder = None,
) -> None:
    """Print what a part of an environment printed: every instance of the live slot, without the secrets."""
    began = _moment(since, datetime.now(UTC)) if since else None
    running()
    from flows.logs import LogWish, read

    wish = LogWish(part=service, slot=slot, tail=tail, since=began, follow=follow)
    lines = read(choose_app(app, project), environment, wish)
    for line in lines:
        print_line(line.text if line.source == service else f"{line.source} | {line.text}")


def _moment(text: str, now: datetime) -> datetime:
    """Return the moment that `15m` before now, or a date, means; Misconfigured for anything else."""
    if found := re.fullmatch(r"(\d{1,9})([smhd])", text):
        return now - timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        allowed = "30s, 15m, 2h, 1d, or a moment like 2030-12-31T10:00 (this machine's time, or with Z or +01:00)"
        raise Misconfigured("--since", repr(text), allowed) from error
    return moment.astimezone(UTC)
