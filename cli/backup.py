"""`headway backup`, `headway backups`: what is kept of a database, how old it is, and what restores of it showed."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import AsJson, print_model, print_table, say, warn
from cli.project import AppName, Everything, ProjectFolder, Where, app_here, choose_app
from cli.session import running
from cli.shown import BackupsKept, BackupTaken
from delivery.counting import counted

if TYPE_CHECKING:
    from delivery.changes.backup_policy import BackupAges
    from delivery.changes.restores import RestoreRecord
    from delivery.ports.backups import KeptBackup

COLOURS = {"pass": "green", "unknown": "yellow", "fail": "red", "broken": "red"}  # unknown is no pass


def backup(
    app: AppName = None,
    project: ProjectFolder = None,
    environment: Where = "production",
    as_json: AsJson = False,
) -> None:
    """Keep a backup of an environment's database, restored elsewhere and compared."""
    running()
    from flows.backup import backup as flow
    from flows.backup import left_behind_by

    name = choose_app(app, project)
    kept, proof = asyncio.run(flow(name, environment))
    left = left_behind_by(name, environment)
    if as_json:
        print_model(BackupTaken.model_validate(dict(kept) | {"proof": proof, "left_behind": left}))
        return
    rows = f"{counted(kept.tables, 'table')}, {counted(kept.rows, 'row')}"
    say(f"backup {kept.name} of {environment}: {rows}, {_size(kept.size_bytes)}", "green")
    say(f"restored and compared: RPO {proof.rpo_seconds:.2f} s, RTO {proof.rto_seconds:.2f} s")
    if proof.moved:
        warn(f"{counted(proof.moved, 'thing')} changed while it was taken, and were not compared")
    say(f"kept in {kept.where}")
    if left:
        warn(left)


def backups(
    app: AppName = None,
    project: ProjectFolder = None,
    environment: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """Show the backups that are kept, whether they are proven and young enough, and what the last restores showed."""
    running()
    from flows.backup import backup_ages, histories, kept_backups, reaches

    name = None if everything else app or app_here(project)
    found, restores = kept_backups(name, environment), histories(name, environment)
    ages = backup_ages(name, environment)
    if as_json:
        print_model(BackupsKept(backups=tuple(found), history=tuple(restores), ages=tuple(ages)))
        return
    if found:
        columns = ["backup", "of", "taken (UTC)", "why", "size", "rows", "proof", "where"]
        print_table(columns, [_row(one) for one in found])
    else:
        say("no backup is kept: headway backup takes one")
    for where, reach in reaches(name, environment):
        say(f"any second of {where}: {reach}")
    for record in _last_of_each(restores):
        say(f"{record.app} {record.environment}: last {record.describe()}", COLOURS[record.outcome])
    for one in ages:
        tell_age(one)


def tell_age(ages: "BackupAges") -> None:
    """Say how old the newest copy in a second place is, and what is too old or wrong."""
    of = f"{ages.app} {ages.environment}"
    if ages.copies and ages.copies.newest:
        copies = counted(ages.copies.count, "copy", "copies")
        say(f"{of}: {copies} in {ages.copies.where}, the newest of {ages.copies.newest:%Y-%m-%d %H:%M:%S} UTC")
    for line in ages.problems:
        warn(f"{of}: {line}")


def _last_of_each(restores: Sequence["RestoreRecord"]) -> list["RestoreRecord"]:
    """Return the newest proof and the newest drills of each environment; what somebody restored is none of them."""
    newest = {(one.app, one.environment, one.kind): one for one in reversed(restores) if one.kind != "restore"}
    return [newest[key] for key in sorted(newest)]


def _row(kept: "KeptBackup") -> tuple[str, ...]:
    return (
        kept.name,
        f"{kept.app} {kept.environment}",
        f"{kept.at:%Y-%m-%d %H:%M:%S}",
        kept.reason,
        _size(kept.size_bytes),
        "not known" if kept.of_the_place or kept.unreadable else f"{kept.rows} in {counted(kept.tables, 'table')}",
        kept.proven,
        kept.where,
    )


def _size(count: int) -> str:
    if count == 0:
        return "not told"
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"
