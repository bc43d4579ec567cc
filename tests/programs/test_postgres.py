"""PostgreSQL's own programs: arguments, scripts, and what a look prints."""

import pytest

from delivery.backup import TableState
from delivery.programs import postgres

LOOK = """\
BEGIN
table|public.tasks|3|1234567890
table|public.we|ird|0|0
sequence|public.tasks_id_seq|7|true
schema|columns|12|0123456789abcdef0123456789abcdef
NOTICE: something else
COMMIT
"""


def test_a_look_is_read_and_other_lines_are_left_out():
    assert postgres.parse_look(LOOK) == (
        TableState(kind="table", name="public.tasks", rows=3, checksum="1234567890"),
        TableState(kind="table", name="public.we|ird", rows=0, checksum="0"),
        TableState(kind="sequence", name="public.tasks_id_seq", rows=7, checksum="true"),
        TableState(kind="schema", name="columns", rows=12, checksum="0123456789abcdef0123456789abcdef"),
    )


@pytest.mark.parametrize("output", ["", "psql: error: connection refused", "pg_dump: warning: |"])
def test_an_output_without_a_look_shows_nothing(output):
    assert postgres.parse_look(output) == ()


def test_readiness_is_asked_over_tcp():
    assert postgres.ready_argv("app", "shop") == [
        *("pg_isready", "-q", "-h", "127.0.0.1", "-U", "app", "-d", "shop"),
    ]


def test_a_restore_ends_at_its_first_error():
    assert postgres.restore_argv("copy") == [
        *("pg_restore", "--exit-on-error", "--no-password", "--dbname", "copy", "/backup/database.dump"),
    ]


def test_a_script_goes_through_stdin_and_ends_at_its_first_error():
    argv = postgres.psql_argv("select 'it''s \"$HOME\"';")

    assert argv[-1] == "select 'it''s \"$HOME\"';"
    assert argv[:2] == ["sh", "-c"]
    assert "ON_ERROR_STOP=1" in argv[2]
    assert "select" not in argv[2]


def test_the_dump_and_the_look_see_the_same_rows():
    script = postgres.dump_script()

    assert "begin isolation level repeatable read read only;\nselect pg_export_snapshot()" in script
    assert script.index("'earlier'") < script.index("begin isolation level")
    assert script.index('--snapshot="$SNAPSHOT"') < script.index(postgres.look_script()) < script.index("commit;")


def test_a_dump_that_failed_leaves_no_file_behind():
    assert f"--file={postgres.DUMP} || rm -f {postgres.DUMP}" in postgres.dump_script()


def test_roles_are_dumped_without_their_passwords():
    assert "pg_dumpall --roles-only --no-role-passwords" in postgres.dump_script()


def test_only_a_schema_of_our_own_is_written_to():
    scripts = [
        postgres.write_sentinel_script("ab12"),
        postgres.remove_sentinel_script(),
        postgres.damage_script(),
    ]

    statements = [line for script in scripts for line in script.splitlines()]
    assert len(statements) == 5
    assert all("headway_sentinel" in statement for statement in statements)
    assert "values ('ab12')" in scripts[0]


def test_a_sequence_carries_what_it_showed_before_the_backup():
    table, sequence = postgres.parse_look("earlier|public.ids|7|true\ntable|public.t|2|5\nsequence|public.ids|9|true\n")

    assert (table.earlier, sequence.earlier, sequence.rows) == (None, 7, 9)
