"""`headway backup`, `headway backups`, `headway restore`: what is kept of a database, and how it comes back."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from cli.asking import ask_for
from cli.output import print_json, print_table, say, warn
from cli.project import AppName, ProjectFolder, app_here, choose_app
from cli.session import running
from cli.steal import Steal, Yes, choose_holder
from delivery.counting import counted
from delivery.errors import Misconfigured

if TYPE_CHECKING:
    from delivery.ports.backups import KeptBackup

Where = Annotated[str, typer.Option("--environment", help="Where.")]


def backup(
    app: AppName = None,
    project: ProjectFolder = None,
    environment: Where = "production",
    as_json: Annotated[bool, typer.Option("--json", help="Print the backup as data.")] = False,
) -> None:
    """Keep a backup of an environment's database, restored elsewhere and compared."""
    running()
    from flows.backup import backup as flow

    kept, proof = asyncio.run(flow(choose_app(app, project), environment))
    if as_json:
        print_json(kept.model_dump(mode="json") | {"proof": proof.model_dump(mode="json")})
        return
    rows = f"{counted(kept.tables, 'table')}, {counted(kept.rows, 'row')}"
    say(f"backup {kept.name} of {environment}: {rows}, {_size(kept.size_bytes)}", "green")
    say(f"restored and compared: RPO {proof.rpo_seconds:.2f} s, RTO {proof.rto_seconds:.2f} s")
    say(f"kept in {kept.where}")


def backups(
    app: AppName = None,
    project: ProjectFolder = None,
    environment: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every application, wherever one stands.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print data.")] = False,
) -> None:
    """Show the backups that are kept: when and why each was taken, what is in it, whether it is proven, and where."""
    running()
    from flows.backup import kept_backups

    found = kept_backups(None if everything else app or app_here(project), environment)
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
    elif found:
        columns = ["backup", "of", "taken (UTC)", "why", "size", "rows", "proof", "where"]
        print_table(columns, [_row(one) for one in found])
    else:
        say("no backup is kept: headway backup takes one")


def restore(
    backup: Annotated[str, typer.Argument(help="Name of a backup, or its beginning, or `latest`.")],
    app: AppName = None,
    project: ProjectFolder = None,
    environment: Where = "production",
    into: Annotated[str | None, typer.Option(help="A new database beside the one in use.")] = None,
    over_live: Annotated[
        bool, typer.Option("--over-live", help="Put it behind the application, in place of the database in use.")
    ] = False,
    steal: Steal = False,
    yes: Yes = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print data.")] = False,
) -> None:
    """Restore a backup into a new database; with --over-live the application uses it from then on."""
    if (into is None) != over_live:
        raise Misconfigured(
            "headway restore",
            "it must be said where to" if into is None else "--into and --over-live are two ways",
            "--into NAME, a new database beside the one in use; or --over-live, in its place",
        )
    running()
    from flows.restore import restore as flow

    name = choose_app(app, project)
    if over_live:
        warn(f"{environment} of {name} uses what backup {backup} holds from then on; what came after it is not in it")
        warn("the database in use now is kept beside it under another name; connections to it end")
        ask_for(environment, what="the environment's name", where="headway restore --over-live", yes=yes)
    holder = choose_holder(name, [environment], yes=yes) if steal else None
    restored, replaced = asyncio.run(flow(name, environment, backup, into, holder))
    if as_json:
        print_json({"restored": restored.model_dump(), "replaced": replaced.model_dump() if replaced else None})
        return
    rows = f"{counted(restored.tables, 'table')}, {counted(restored.rows, 'row')}, as in the backup"
    say(f"restored {restored.backup} into {restored.database} in {restored.seconds:.1f} s: {rows}", "green")
    if replaced:
        say(f"{environment} of {name} uses it; the database before is kept as {replaced.kept_as}")
        say(f"remove that with: headway database drop {replaced.kept_as} --environment {environment}")
    else:
        say(f"put it behind the application with: headway database use {restored.database} --environment {environment}")


def _row(kept: "KeptBackup") -> tuple[str, ...]:
    return (
        kept.name,
        f"{kept.app} {kept.environment}",
        f"{kept.at:%Y-%m-%d %H:%M:%S}",
        kept.reason,
        _size(kept.size_bytes),
        f"{kept.rows} in {counted(kept.tables, 'table')}",
        kept.proven,
        kept.where,
    )


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"
