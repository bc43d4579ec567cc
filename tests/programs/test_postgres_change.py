"""What changes a server beside the data of an application."""

import pytest

from delivery.programs import postgres_change


def test_a_login_is_tried_over_the_network_and_no_password_stands_in_it():
    argv = postgres_change.login_argv("app", "shop", "database")

    assert argv == ["psql", "-XqAtw", "-h", "database", "-U", "app", "-d", "shop", "-c", "select 1"]


def test_two_databases_change_their_names_both_or_neither():
    script = postgres_change.swap_script("shop", "shop_until_1", "restored")

    sessions, _, change = script.partition(";\n")
    assert "datname in ('shop', 'restored')" in sessions
    assert change.splitlines() == [
        "begin;",
        'alter database "shop" rename to "shop_until_1";',
        'alter database "restored" rename to "shop";',
        "commit;",
    ]


def test_a_new_password_stands_in_a_variable_and_in_no_argument():
    argv = postgres_change.admin_argv(postgres_change.password_script("app"), "headway")

    assert argv[4:] == ["headway", "template1"]
    assert 'alter role "app" password' in argv[3]
    assert '\\set password `printf %s "$NEW_PASSWORD"`' in argv[3]


@pytest.mark.parametrize(("in_a_cell", "right"), [(True, " createdb "), (False, " nocreatedb ")])
def test_the_role_of_an_application_makes_databases_in_test_cells_alone(in_a_cell, right):
    script = postgres_change.roles_script("app", "shop", creates_databases=in_a_cell)

    assert f'alter role "app" login nosuperuser{right}nocreaterole noreplication nobypassrls;' in script
    assert 'alter database "shop" owner to "app";' in script


def test_sessions_of_a_migration_are_known_by_name_and_by_address():
    script = postgres_change.migration_sessions_script("headway-migrate-run-1", {"172.18.0.9"}, {"172.18.0.2"})

    assert "application_name = 'headway-migrate-run-1'" in script
    assert "any(array['172.18.0.9']::text[])" in script
    assert "<> all(array['172.18.0.2']::text[])" in script
    assert "any(array[]::text[])" in postgres_change.migration_sessions_script("headway-migrate-run-1", (), ())


def test_a_database_is_made_anew_under_another_name_with_its_event_triggers_last():
    shell, option, script, was, into, dump, options = postgres_change.restore_into_argv("shop", "before")

    assert (shell, option, was, into, dump) == ("sh", "-c", "shop", "before", "/backup/database.dump")
    assert "session_replication_role=replica" in options
    assert script.index("-f own.sql") < script.index("--use-list=first") < script.index("--use-list=late")
    assert "--clean" not in script
