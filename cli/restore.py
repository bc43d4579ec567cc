"""`headway restore`: a database comes back, beside the one in use, in its place, or in a second place."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.asking import Yes, ask_for
from cli.output import AsJson, print_model, say, warn
from cli.project import AppName, ProjectFolder, Where, choose_app
from cli.session import running
from cli.shown import RestoreDone
from cli.steal import Steal, choose_holder
from delivery.counting import counted
from delivery.errors import Misconfigured

if TYPE_CHECKING:
    from delivery.changes.restores import Replaced
    from delivery.ports.backups import Restored


def restore(
    backup: Annotated[str | None, typer.Argument(help="Name of a backup, or its beginning, or `latest`.")] = None,
    to: Annotated[
        str | None, typer.Option(help="Instead of a backup: a moment, UTC, like 2030-01-02T03:04:05.")
    ] = None,
    before: Annotated[str | None, typer.Option(help="Instead of a backup: just before this release came.")] = None,
    app: AppName = None,
    project: ProjectFolder = None,
    environment: Where = "production",
    into: Annotated[str | None, typer.Option(help="A new database beside the one in use.")] = None,
    over_live: Annotated[
        bool, typer.Option("--over-live", help="Put it behind the application, in place of the database in use.")
    ] = False,
    second_place: Annotated[
        bool, typer.Option("--second-place", help="A copy, in the second place, as a new server --into NAME there.")
    ] = False,
    steal: Steal = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into a new database; with --over-live the application uses it from then on."""
    _check_where(into, over_live=over_live, second_place=second_place)
    moment = _one_source(backup, to, before)
    if second_place and not backup:
        raise Misconfigured("headway restore --second-place", "only copies are there", "BACKUP, or `latest`")
    running()
    name = choose_app(app, project)
    if second_place:
        assert backup
        assert into
        _restore_elsewhere(name, environment, backup, into, as_json=as_json)
        return
    _restore_here(name, environment, (backup, moment, before), into, steal=steal, yes=yes, as_json=as_json)


def _restore_here(
    name: str,
    environment: str,
    source: tuple[str | None, datetime | None, str | None],
    into: str | None,
    *,
    steal: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Restore into a database beside the one in use or, after asking, in its place; say what did not come along."""
    from flows.backup import left_behind_by
    from flows.restore import restore as flow

    backup, moment, before = source
    left = left_behind_by(name, environment)
    if into is None:
        told = f"backup {backup}" if backup else f"its archive of {moment or f'the time before {before}'}"
        warn(f"{environment} of {name} uses what {told} holds from then on; what came after it is not in it")
        warn("the database in use now is kept beside it under another name; connections to it end")
        if left:
            warn(left)
        ask_for(environment, what="the environment's name", where="headway restore --over-live", yes=yes)
    holder = choose_holder(name, [environment], yes=yes) if steal else None
    restored, replaced = asyncio.run(flow(name, environment, backup, into, holder, moment, before))
    if as_json:
        print_model(RestoreDone(restored=restored, replaced=replaced, left_behind=left))
        return
    _tell(name, environment, restored, replaced)
    if left:
        warn(left)


def _restore_elsewhere(name: str, environment: str, backup: str, into: str, *, as_json: bool) -> None:
    """Restore a copy as a new server of the second place, and say what did not come along."""
    from flows.backup import left_behind_by
    from flows.restore import restore_elsewhere

    restored = asyncio.run(restore_elsewhere(name, environment, backup, into))
    left = left_behind_by(name, environment)
    if as_json:
        print_model(RestoreDone(restored=restored, left_behind=left))
        return
    rows = f"{counted(restored.tables, 'table')}, {counted(restored.rows, 'row')}"
    say(
        f"restored {restored.backup} in {restored.seconds:.1f} s as the server {into} of the second place: {rows}",
        "green",
    )
    say("it stays until somebody removes it there; no application uses it by itself")
    if left:
        warn(left)


def _check_where(into: str | None, *, over_live: bool, second_place: bool) -> None:
    """Return when it is said where to, in one way; Misconfigured otherwise."""
    if second_place and over_live:
        raise Misconfigured(
            "headway restore --second-place",
            "--over-live: nothing there can take the place of a database here",
            "--into NAME, a new server in the second place",
        )
    if (into is None) != over_live:
        raise Misconfigured(
            "headway restore",
            "it must be said where to" if into is None else "--into and --over-live are two ways",
            "--into NAME, a new database beside the one in use; or --over-live, in its place",
        )


def _tell(name: str, environment: str, restored: "Restored", replaced: "Replaced | None") -> None:
    rows = f"{counted(restored.tables, 'table')}, {counted(restored.rows, 'row')}, as in the backup"
    say(f"restored {restored.backup} into {restored.database}: {rows}", "green")
    lost = f"RPO: what was written after {restored.at:%Y-%m-%d %H:%M:%S} UTC is not in it; " if restored.at else ""
    say(f"  {lost}RTO {restored.seconds:.1f} s")
    for line in restored.beside:
        say(f"  {line}")
    if replaced:
        say(f"{environment} of {name} uses it; the database before is kept as {replaced.kept_as}")
        say(f"remove that with: headway database drop {replaced.kept_as} --environment {environment}")
    else:
        say(f"put it behind the application with: headway database use {restored.database} --environment {environment}")


def _one_source(backup: str | None, to: str | None, before: str | None) -> datetime | None:
    """Return the moment that was named, if one was; Misconfigured unless exactly one source is."""
    given = [one for one in (backup, to, before) if one]
    if len(given) != 1:
        found = "nothing was named to restore" if not given else f"{' and '.join(given)} are several"
        raise Misconfigured("headway restore", found, "BACKUP, --to MOMENT, or --before RELEASE: one of them")
    if to is None:
        return None
    try:
        moment = datetime.fromisoformat(to)
    except ValueError as error:
        where = f"headway restore --to {to}"
        raise Misconfigured(where, "is no moment", "like 2030-01-02T03:04:05, or with +02:00; UTC without") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
