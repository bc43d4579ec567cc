"""What is asked of a server whose administrator is no superuser: what only one may do is not in it."""

from delivery.programs import postgres_managed
from delivery.programs.postgres_look import parse_look


def test_nothing_is_asked_that_a_superuser_alone_may():
    look = postgres_managed.managed_look_script("shop")
    calls = [postgres_managed.managed_argv(look), postgres_managed.transfer_argv("shop", "before")]

    assert not [call for call in calls if "session_replication_role" in "".join(call)]
    assert "from pg_largeobject " not in look
    assert look.startswith('\\connect "shop"\n')


def test_a_transfer_has_no_password_in_its_arguments_and_reads_from_the_other_server():
    *shell, script, dump, was, _, _, restore, _, into, _, _ = postgres_managed.transfer_argv("shop", "before")

    assert (shell, was, into, dump) == (["sh", "-c"], "shop", "before", postgres_managed.DUMP)
    assert 'PGPASSWORD="$SOURCE_PASSWORD"' in script
    assert "pg_restore" in restore


def test_a_look_at_such_a_server_is_read_as_any_other():
    line = '{"kind" : "large objects", "name" : "of the database", "rows" : 1, "checksum" : "7"}'

    [found] = parse_look(f"SET\n{line}\n")

    assert (found.kind, found.rows, found.checksum) == ("large objects", 1, "7")
