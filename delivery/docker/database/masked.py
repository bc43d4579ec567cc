"""A backup of another environment comes masked: unmasked it is on a server of its own alone, which nobody reaches.

That server lives in a sandbox without a network. When the process that masks dies, it goes as everything of a dead run
does. The environment's own server gets a dump of what was masked: nothing else was ever in its files.
"""

import contextlib
import secrets
import tempfile
import time
from pathlib import Path

from docker.models.containers import Container
from pydantic import SecretStr

from delivery.changes.kept import BackupFolder
from delivery.docker.database import backup
from delivery.docker.database.database import EPHEMERAL
from delivery.docker.database.keeping import Keeper, files_of, start_copy
from delivery.docker.database.roles import run_script
from delivery.docker.database.transfer import lay
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.sandbox.sandbox import open_sandbox, outlasting
from delivery.errors import Rejected
from delivery.masking.plan import plan_of
from delivery.masking.refusal import check_named
from delivery.ports.backups import Masked, counted_states, lacking
from delivery.ports.database import DatabaseAccess, check_free
from delivery.ports.table_states import TableState
from delivery.programs import postgres, postgres_change
from delivery.programs.postgres_look import parse_look
from delivery.programs.postgres_masking import (
    KEY,
    LAID,
    masking_script,
    needed_roles_script,
    remove_dump_argv,
    script_argv,
)
from delivery.programs.postgres_people import CATALOG, parse_catalog, parse_signs, signs_script
from delivery.spec.masking import Masking


def restore_masked(
    keeper: Keeper, source: str, name: str, into: str, there: tuple[str, ...], masking: Masking, run: str
) -> Masked:
    """Restore a backup of the environment `source`, masked, into a new database on the server of the keeper's own.

    `there` are the databases that it has. Raises as the port says; then there is no new database.
    """
    kept, folder = BackupFolder(keeper.home, keeper.names.app, source).find(name)
    check_free(into, there, keeper.names.environment)
    started, lives = time.monotonic(), outlasting(backup.MOST_SECONDS * 2)
    with open_sandbox(keeper.home, run, "refresh", host=keeper.host, lives=lives) as sandbox:
        access = DatabaseAccess(name=kept.database, password=SecretStr(secrets.token_hex(16)))
        copy = start_copy(sandbox, keeper.image, access, EPHEMERAL)  # what is lost with the machine is made again
        lay(copy, files_of(folder), backup.VOLUME)
        backup.restore(copy, access)
        look = keeper.folder.look(folder)
        backup.sql(copy, postgres.remove_sentinel_script(look.token), "the mark could not be removed")
        if missing := lacking(look.states, parse_look(backup.sql(copy, postgres.look_script(), "it was not read"))):
            raise Rejected(f"backup {kept.name} came back otherwise than it was: {'; '.join(missing)}")
        columns, emptied = _mask(copy, masking, f"backup {kept.name} of {source}")
        roles = backup.sql(copy, needed_roles_script(), "the roles are not known")
        backup.run(copy, remove_dump_argv(), "the dump that is not masked could not be removed")
        states = parse_look(backup.sql(copy, postgres.dump_script(), "what was masked could not be dumped"))
        sandbox.parts.pop("restore").remove(force=True, v=True)  # from here on nothing is there that is not masked
        client = keeper.client(sandbox, "refresh")
        run_script(keeper.server(sandbox), roles, "the roles could not be made")
        _restore(keeper, client, kept.database, into, states)
    tables, rows = counted_states(states)
    seconds = round(time.monotonic() - started, 3)
    return Masked(
        backup=kept.name,
        database=into,
        tables=tables,
        rows=rows,
        seconds=seconds,
        columns=columns,
        emptied=emptied,
    )


def _mask(copy: Container, masking: Masking, what: str) -> tuple[int, int]:
    """Mask the database of a server; return how many columns were, and how many tables are without rows now."""
    catalog = parse_catalog(_run(copy, CATALOG, "the columns are not known"))
    plan = plan_of(masking, catalog)
    looked = [column for column in plan.unnamed(catalog) if column.says_words]
    masked = plan.masked(catalog)
    signs = parse_signs(_run(copy, signs_script(looked, masked), "it could not be looked at what is personal"))
    check_named(plan, masking, catalog, signs, what=what)
    problem = f"{what} could not be masked as {masking.file} says"
    _run(copy, masking_script(plan, masking, catalog), problem, key=secrets.token_hex(32))
    return len(masked), len(plan.truncated)


def _run(copy: Container, script: str, problem: str, *, key: str = "") -> str:
    """Run a script that may be longer than an argument; `key` is in a variable, and told to nobody else.

    Raises Rejected with `problem` and what the server says, which is no value of a row.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / Path(LAID).name
        file.write_text(script)
        lay(copy, [file], backup.VOLUME)
    code, output, errors = run_in(copy, script_argv(), user="0", seconds=backup.MOST_SECONDS, env={KEY: key})
    if code:
        lines = "\n".join(errors.splitlines()[-backup.LAST_LINES :])
        raise Rejected(f"{problem}; the last lines:\n{lines}")
    return output


def _restore(keeper: Keeper, client: Container, was: str, into: str, states: tuple[TableState, ...]) -> None:
    """Make the new database from the masked dump; it is gone again when it is not as what was dumped."""
    try:
        keeper.fill(client, was, into, f"what was masked could not be restored into {into}")
        found = keeper.look_at(client, into)
        if missing := lacking(states, found):
            raise Rejected(f"what was masked came back otherwise than it was: {'; '.join(missing)}")
    except BaseException:
        with contextlib.suppress(Rejected):
            backup.sql(client, postgres_change.drop_script(into), "the new database could not be dropped")
        raise
