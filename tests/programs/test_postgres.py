"""PostgreSQL's own programs: arguments, scripts, and what a look prints."""

import json

import pytest

from delivery.ports.table_states import TableState
from delivery.programs import postgres
from delivery.programs.postgres_look import FIRST_SENTINEL, PINNED, parse_definitions, parse_look


def line(kind, name, rows, checksum):
    """A line as `json_build_object` writes it."""
    said = ", ".join(
        f'"{key}" : {json.dumps(value)}'
        for key, value in zip(("kind", "name", "rows", "checksum"), (kind, name, rows, checksum), strict=True)
    )
    return f"{{{said}}}\n"


LOOK = "BEGIN\n0000000A-1\n" + line("table", "public.tasks", 3, "12") + line("table", 'public."two\nlines|"', 0, "0")
DEFINITIONS = """\
--
-- PostgreSQL database dump
--

\\restrict abc

SET statement_timeout = 0;

--
-- Name: shop; Type: DATABASE PROPERTIES; Schema: -; Owner: app
--

ALTER DATABASE shop SET "TimeZone" TO 'Asia/Tokyo';
ALTER ROLE clerk IN DATABASE shop SET work_mem TO '5MB';


\\unrestrict abc
\\connect shop
\\restrict abc

SET statement_timeout = 0;

SET default_tablespace = '';

--
-- Name: f(); Type: FUNCTION; Schema: public; Owner: app
--

CREATE FUNCTION public.f() RETURNS void
    LANGUAGE sql
    AS $$
update task
SET title = 'x';
$$;

--
-- Name: TABLE task; Type: ACL; Schema: public; Owner: app
--

GRANT SELECT ON TABLE public.task TO a;
GRANT SELECT ON TABLE public.task TO b;


--
-- PostgreSQL database dump complete
--
"""


def test_a_look_is_read_and_other_lines_are_left_out():
    assert parse_look(f"{LOOK}NOTICE: something else\nCOMMIT\n") == (
        TableState(kind="table", name="public.tasks", rows=3, checksum="12"),
        TableState(kind="table", name='public."two\nlines|"', rows=0, checksum="0"),
    )


def test_a_look_says_of_which_tables_no_log_has_the_rows():
    cache = line("table", "public.cache", 3, "12").replace("}", ', "unlogged" : true}')

    assert [one.unlogged for one in parse_look(line("table", "public.tasks", 3, "12") + cache)] == [False, True]


@pytest.mark.parametrize("output", ["", "psql: error: connection refused", "pg_dump: warning: {"])
def test_an_output_without_a_look_shows_nothing(output):
    assert parse_look(output) == ()


def test_a_sequence_carries_what_it_showed_before_the_backup_when_it_went_on():
    said = line("earlier", "public.ids", 7, "true") + line("earlier", "public.still", 7, "true")
    said += line("earlier", "public.begun", 1, "false") + line("table", "public.ids", 2, "5")
    said += line("sequence", "public.ids", 9, "true") + line("sequence", "public.still", 7, "true")

    table, moved, still, begun = parse_look(said + line("sequence", "public.begun", 1, "true"))

    assert [one.earlier for one in (table, moved, still, begun)] == [None, 7, None, 1]
    assert [one.moved for one in (table, moved, still, begun)] == [False, True, False, True]


def test_definitions_are_told_by_the_names_people_give_them():
    assert [(one.kind, one.name) for one in parse_definitions(DEFINITIONS)] == [
        ("setting", "timezone"),
        ("setting", "work_mem of role clerk"),
        ("function", "public.f()"),
        ("grants on table", "public.task"),
    ]
    assert all(one.definition for one in parse_definitions(DEFINITIONS))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("abc", "xyz"),
        (
            "TABLE public.task TO a;\nGRANT SELECT ON TABLE public.task TO b",
            "TABLE public.task TO b;\nGRANT SELECT ON TABLE public.task TO a",
        ),
        ("SET default_tablespace = '';\n", ""),
    ],
)
def test_what_pg_dump_says_otherwise_each_time_is_no_difference(old, new):
    assert parse_definitions(DEFINITIONS.replace(old, new)) == parse_definitions(DEFINITIONS)


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("SET title = 'x'", "SET title = 'y'", "function"),
        ("Owner: app\n--\n\nCREATE FUNCTION", "Owner: other\n--\n\nCREATE FUNCTION", "function"),
        ("'Asia/Tokyo'", "'UTC'", "setting"),
        ("TABLE public.task TO b", "TABLE public.task TO c", "grants on table"),
    ],
)
def test_what_is_defined_otherwise_is_one_difference(old, new, kind):
    changed = set(parse_definitions(DEFINITIONS.replace(old, new))) - set(parse_definitions(DEFINITIONS))

    assert [one.kind for one in changed] == [kind]


def test_two_things_of_one_name_are_both_looked_at():
    again = DEFINITIONS.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    both = f"{DEFINITIONS}{DEFINITIONS}"

    assert set(parse_definitions(both)) != set(parse_definitions(f"{DEFINITIONS}{again}"))


def test_readiness_is_asked_over_tcp():
    assert postgres.ready_argv("app", "shop") == [
        *("pg_isready", "-q", "-h", "127.0.0.1", "-U", "app", "-d", "shop"),
    ]


def test_a_restore_makes_the_database_with_all_that_is_its_own_and_ends_at_its_first_error():
    shell, option, script, database, dump = postgres.restore_argv("copy")

    assert (shell, option, database, dump) == ("sh", "-c", "copy", "/backup/database.dump")
    assert "--exit-on-error" in script
    assert "--clean --if-exists --create" in script
    assert script.index("/backup/first --dbname") < script.index("--use-list=/backup/late")


def test_a_script_goes_through_stdin_with_settings_that_are_always_the_same_and_ends_at_its_first_error():
    argv = postgres.psql_argv("select 'it''s \"$HOME\"';")

    assert argv[-1] == "select 'it''s \"$HOME\"';"
    assert argv[:2] == ["sh", "-c"]
    assert "ON_ERROR_STOP=1" in argv[2]
    assert f"PGOPTIONS='{PINNED}' psql" in argv[2]
    assert "select" not in argv[2]


@pytest.mark.parametrize("setting", ["timezone=UTC", "search_path=pg_catalog", "session_replication_role=replica"])
def test_no_setting_of_the_database_changes_how_a_row_is_written_down(setting):
    assert f"-c {setting}" in PINNED


def test_the_dump_and_the_look_see_the_same_rows():
    script = postgres.dump_script()

    assert "begin isolation level repeatable read read only;\nselect pg_export_snapshot()" in script
    assert script.index("'earlier'") < script.index("begin isolation level")
    assert script.index('--snapshot="$SNAPSHOT"') < script.index(postgres.look_script()) < script.index("commit;")


@pytest.mark.parametrize("file", [postgres.DUMP, postgres.SCHEMA, postgres.ROLES])
def test_a_dump_that_failed_leaves_no_file_behind(file):
    assert f"--file={file} || rm -f {file}" in postgres.dump_script()


def test_roles_are_dumped_without_their_passwords():
    assert "pg_dumpall --roles-only --no-role-passwords" in postgres.dump_script()


def test_only_a_large_object_of_our_own_is_written_and_nothing_is_made():
    script = postgres.write_sentinel_script("ab12") + postgres.remove_sentinel_script("ab12")

    assert "headway sentinel ab12 at " in script
    assert script.count(postgres.sentinel_of("ab12")) == 2
    assert not {"create", "drop", "insert", "delete", "update"} & set(script.split())


@pytest.mark.parametrize("token", ["0", "f" * 32, "ab12"])
def test_a_sentinel_has_a_number_that_the_server_can_have(token):
    assert FIRST_SENTINEL <= int(postgres.sentinel_of(token)) < 2**32
