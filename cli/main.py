"""The `headway` command: one verb a file."""

import sys
from typing import Annotated

import typer

from cli import (
    approve,
    backup,
    bad,
    bootstrap,
    check,
    database,
    destroy,
    diff,
    discover,
    doctor,
    explain,
    following,
    freeze,
    history,
    hooks,
    junit,
    log,
    logs,
    plan,
    platform,
    recover,
    refresh,
    remove,
    restore,
    rollback,
    run,
    secret,
    status,
)
from cli.output import complain
from delivery.errors import HeadwayError, Interrupted
from delivery.full_disk import in_words, storage_trouble

app = typer.Typer(
    name="headway",
    help="Build, scan, test, approve and release every commit, and prove the backups.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("init")(discover.init)
app.command("schema")(discover.schema)
app.command("check")(check.check)
app.command("plan")(plan.plan)
app.command("run")(run.run)
app.command("follow")(following.follow)
app.command("junit")(junit.junit)
app.command("status")(status.status)
app.command("approve")(approve.approve)
app.command("reject")(approve.reject)
app.command("log")(log.log)
app.command("explain")(explain.explain)
app.command("diff")(diff.diff)
app.command("history")(history.history)
app.command("figures")(history.figures)
app.command("logs")(logs.logs)
app.command("freeze")(freeze.freeze)
app.command("thaw")(freeze.thaw)
app.command("bad")(bad.bad)
app.add_typer(secret.secret, name="secret")
app.add_typer(hooks.hooks, name="hooks")
app.command("rollback")(rollback.rollback)
app.command("backup")(backup.backup)
app.command("backups")(backup.backups)
app.command("restore")(restore.restore)
app.command("refresh")(refresh.refresh)
app.add_typer(database.database, name="database")
app.command("recover")(recover.recover)
app.command("remove")(remove.remove)
app.command("bootstrap")(bootstrap.bootstrap)
app.command("destroy")(destroy.destroy)
app.command("up")(platform.up)
app.command("ui")(platform.ui)
app.command("down")(platform.down)
app.command("doctor")(doctor.doctor)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(version("headway"))
        raise typer.Exit


@app.callback()
def headway(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Build, scan, test, approve and release every commit, and prove the backups."""


def main() -> None:
    """Run the command and end with Headway's exit codes: 0, 1 rejected, 2 misconfigured, 3 withdrawn, 130."""
    try:
        result = app(standalone_mode=False)
    except HeadwayError as error:
        complain(in_words(error))
        sys.exit(error.exit_code)
    except typer.Exit as exit_:
        sys.exit(exit_.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        sys.exit(Interrupted.exit_code)
    except Exception as error:
        if trouble := storage_trouble(error):
            complain(str(trouble))
            sys.exit(trouble.exit_code)
        if not hasattr(error, "format_message"):  # click's own errors know how to show themselves
            raise
        complain(error.format_message())
        sys.exit(2)
    sys.exit(result if isinstance(result, int) else 0)
