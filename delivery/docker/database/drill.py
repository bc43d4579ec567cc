"""A drill of the archive: the database replayed to a moment just now, and checks that are seen to notice damage.

What is checked follows from what can be wrong with a copy although it starts: what it was made from rotted, it is older
than it says, pages or indexes are damaged, rows are missing, the application does not run on it.
https://www.postgresql.org/docs/current/app-pgamcheck.html,
https://www.postgresql.org/docs/current/app-pgverifybackup.html
"""

import contextlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from docker.models.containers import Container

from delivery.docker.database import backup
from delivery.docker.database.keeping import Keeper
from delivery.docker.database.point_in_time import Replayed, replayed
from delivery.docker.database.roles import run_script
from delivery.docker.database.wal_archive import WalArchive
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.sandbox.deadline import Deadline, within
from delivery.docker.sandbox.sandbox import Sandbox, open_sandbox, outlasting
from delivery.errors import Misconfigured, Rejected
from delivery.ports.backups import counted_states
from delivery.ports.database import DatabaseAccess
from delivery.ports.drills import Drill, filled_tables, judge_drill, outcome_of, table_rows, told_of
from delivery.programs import postgres, postgres_change
from delivery.programs.postgres_look import PINNED, parse_look
from delivery.spec.backups import DrillCheck

AMCHECK_SECONDS = 6 * 3600.0
NOT_CHECKED = "not checked: "
# What tries the live code on the copy, whose server has a network of its own: it returns what failed.
Application = Callable[[Sandbox, DatabaseAccess], tuple[str, ...]]


@dataclass(frozen=True)
class DrillPlan:
    """What is asked of a drill: how long it may take, what is not wanted, and the code that must run on the copy."""

    deadline_seconds: float
    without: tuple[DrillCheck, ...] = ()
    application: Application | None = None


@dataclass
class _Found:
    problems: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)


def drill(keeper: Keeper, archive: WalArchive, access: DatabaseAccess, run: str, plan: DrillPlan) -> Drill:
    """Return what a drill showed; what was made for it is gone.

    A sentinel is written into the database just before the moment, and removed again. A replay that fails, or is not
    over in time, is what the drill shows, and no error.
    """
    started, lives = datetime.now(UTC), outlasting(plan.deadline_seconds)
    try:
        with (
            within(Deadline(plan.deadline_seconds), "the drill") as deadline,
            open_sandbox(keeper.home, run, "drill", host=keeper.host, lives=lives) as sandbox,
        ):
            return _drilled(keeper, archive, access, run, plan, deadline.hold(sandbox), deadline)
    except (Rejected, Misconfigured) as error:
        return Drill(at=started, outcome="fail", problems=(str(error),))


def _drilled(
    keeper: Keeper,
    archive: WalArchive,
    access: DatabaseAccess,
    run: str,
    plan: DrillPlan,
    sandbox: Sandbox,
    deadline: Deadline,
) -> Drill:
    token, client = secrets.token_hex(16), keeper.client(sandbox, "look")
    backup.sql(client, postgres.write_sentinel_script(token), "the sentinel could not be written")
    try:
        written = datetime.now(UTC)
        in_use = table_rows(parse_look(backup.sql(client, postgres.look_script(), "the database cannot be read")))
        moment = archive.arrive()
        networked = plan.application is not None
        with replayed(keeper, archive, access, moment, run, deadline=deadline, networked=networked) as found:
            return _check(found, access, token, in_use, plan, moment - written)
    finally:
        with contextlib.suppress(Rejected):  # the client may have ended with the deadline
            script = postgres_change.in_database(access.name) + postgres.remove_sentinel_script(token)
            run_script(keeper.server(sandbox), script, "the sentinel could not be removed")


def _check(
    found: Replayed,
    access: DatabaseAccess,
    token: str,
    in_use: Mapping[str, int],
    plan: DrillPlan,
    age: timedelta,
) -> Drill:
    copy, seen, sentinel = found.server, _Found(), postgres.sentinel_of(token)
    seen.problems += found.rotten()
    if "pages" not in plan.without:
        _check_pages(copy, seen)
    if "indexes" not in plan.without:
        _check_indexes(copy, seen)
    try:
        states = backup.look(copy)
    except Rejected as error:  # a page that the server refuses to read; what was found before is told as well
        problems = (*seen.problems, str(error))
        return Drill(at=datetime.now(UTC), outcome="fail", problems=problems, rto_seconds=round(found.seconds, 3))
    seen.problems += judge_drill(states, sentinel=sentinel, in_use=in_use)
    if "application" not in plan.without:
        _check_application(found, access, plan, seen)
    notices = _notices(copy, token, filled_tables(states), in_use)
    tables, rows = counted_states(states)
    return Drill(
        at=datetime.now(UTC),
        outcome=outcome_of(seen.problems, seen.unchecked, notices=notices),
        problems=told_of(seen.problems, notices=notices),
        unchecked=tuple(seen.unchecked),
        tables=tables,
        rows=rows,
        rto_seconds=round(found.seconds, 3),
        rpo_seconds=round(max(0.0, age.total_seconds()), 3),
    )


def _notices(copy: Container, token: str, filled: list[str], in_use: Mapping[str, int]) -> bool:
    """Take the sentinel and all rows of a table out of the copy; return whether the same judgement sees both."""
    known = [name for name in filled if in_use.get(name)][:1]
    script = postgres.damage_script(token, known)
    script += "".join(f"truncate table {name} cascade;\n" for name in known)
    backup.sql(copy, script, "the copy could not be damaged")
    after = parse_look(backup.sql(copy, postgres.look_script(), "the copy could not be read"))
    told = judge_drill(after, sentinel=postgres.sentinel_of(token), in_use=in_use)
    return len(told) > len(known)


def _check_application(found: Replayed, access: DatabaseAccess, plan: DrillPlan, seen: _Found) -> None:
    """Start the live code on the copy, as the application's own role."""
    if plan.application is None:
        seen.unchecked.append(f"{NOT_CHECKED}the application on the copy: no release is live")
        return
    seen.problems += [f"on the copy, {problem}" for problem in plan.application(found.sandbox, access)]


def _check_pages(copy: Container, seen: _Found) -> None:
    """See what the server found wrong with pages that it reads; it checks them where checksums are on."""
    checksums = backup.sql(copy, "show data_checksums;\n", "the server cannot be asked").strip()
    if checksums != "on":
        seen.unchecked.append(
            f"{NOT_CHECKED}pages: the database was made without checksums (pg_checksums --enable, while it is stopped)"
        )
        return
    script = "select coalesce(sum(checksum_failures), 0) from pg_stat_database;\n"
    failures = backup.sql(copy, script, "the server cannot be asked").strip()
    if failures != "0":
        seen.problems.append(f"{failures} pages are not what their checksums say")


def _check_indexes(copy: Container, seen: _Found) -> None:
    """See what pg_amcheck finds: tables and indexes that do not fit each other, or themselves."""
    argv = ["pg_amcheck", "--heapallindexed", "--install-missing", "--no-password"]
    code, output, errors = run_in(copy, argv, user="0", seconds=AMCHECK_SECONDS, env={"PGOPTIONS": PINNED})
    said = f"{output}{errors}".strip()
    if code == 127 or "not found" in said or "is not available" in said:
        seen.unchecked.append(f"{NOT_CHECKED}tables and indexes: the image has no pg_amcheck, or not its extension")
    elif code and "CREATE EXTENSION" in said:  # by an event trigger that always fires, say: nothing was looked at
        seen.unchecked.append(f"{NOT_CHECKED}tables and indexes: the extension is refused: {said.splitlines()[0]}")
    elif code:
        seen.problems.append(f"pg_amcheck: {said.splitlines()[-1] if said else f'exit code {code}'}")
