"""What is known of SQL by its text: commands, transactions, and the locks of which no event trigger is told."""

import pytest

from delivery.programs.postgres_commands import begins, commands, ends, locked, reads, without_transactions


@pytest.mark.parametrize(
    ("sql", "parts"),
    [
        ("begin; alter table t drop column c;\ncommit;", ["begin", "alter table t drop column c", "commit"]),
        ("select 1 -- it's; one\n; /* a; /* b; */ c; */ select 2", ["select 1", "select 2"]),
        ("update t set a = 'x;''y', b = e'\\';', c = $q$;$$;$q$; select 1", ["update t set a = ''''", "select 1"]),
        ('alter table "a;b" add c int;;', ['alter table "a;b" add c int']),
        ("select $1; select $2", ["select $1", "select $2"]),
        ("create function f() returns int begin atomic select case when a then b end; select 2; end; select 1", None),
        ("-- nothing", []),
    ],
)
def test_a_text_is_cut_into_its_commands(sql, parts):
    found = commands(sql)

    if parts is None:
        assert [one.split()[0] for one in found] == ["create", "select"]
    else:
        assert [one.partition(", b")[0] for one in found] == parts


@pytest.mark.parametrize("command", ["begin", "BEGIN ISOLATION LEVEL SERIALIZABLE", "start transaction"])
def test_what_begins_a_transaction(command):
    assert (begins(command), ends(command), reads(command)) == (True, False, True)


@pytest.mark.parametrize("command", ["commit", "END", "rollback work", "abort", "prepare transaction ''"])
def test_what_ends_a_transaction(command):
    assert (begins(command), ends(command), reads(command)) == (False, True, True)


@pytest.mark.parametrize(
    "command", ["rollback to savepoint s", "ROLLBACK WORK TO s", "rollback transaction to s", "commit prepared ''"]
)
def test_what_ends_none(command):
    assert (begins(command), ends(command), reads(command)) == (False, False, True)


def test_a_chain_ends_one_transaction_and_begins_another():
    assert begins("commit and chain")
    assert ends("commit and chain")
    assert not begins("rollback and no chain")


def test_what_is_written_beside_a_read_is_no_read():
    assert not reads("with gone as (delete from task returning *) select * from gone")
    assert reads("with all_of_it as (select * from task for update) select * from all_of_it")
    assert reads("(select 1) union (select 2)")


@pytest.mark.parametrize(
    ("command", "lock", "tables"),
    [
        ("lock task", "ACCESS EXCLUSIVE", ("task",)),
        (
            'lock table only shop.task, "A b" in share row  exclusive mode nowait',
            "SHARE ROW EXCLUSIVE",
            ("shop.task", '"A b"'),
        ),
        ("truncate table only task, note cascade", "ACCESS EXCLUSIVE", ("task", "note")),
        ("cluster", "ACCESS EXCLUSIVE", ("every table",)),
        ("cluster verbose shop.task using i", "ACCESS EXCLUSIVE", ("shop.task",)),
        ("cluster i on task", "ACCESS EXCLUSIVE", ("task",)),
        ("vacuum full task", "ACCESS EXCLUSIVE", ("task",)),
        ("vacuum (analyze, full) task", "ACCESS EXCLUSIVE", ("task",)),
        ("vacuum (full false) task", "SHARE UPDATE EXCLUSIVE", ("task",)),
        ("vacuum", "SHARE UPDATE EXCLUSIVE", ("every table",)),
        ("reindex table task", "SHARE", ("task",)),
        ("reindex index task_title", "SHARE", ("the table of task_title",)),
        ("reindex (verbose) index concurrently task_title", "SHARE UPDATE EXCLUSIVE", ("the table of task_title",)),
        ("reindex (concurrently) table task", "SHARE UPDATE EXCLUSIVE", ("task",)),
        ("reindex schema shop", "SHARE", ("every table of shop",)),
        ("merge into task using note on true when matched then delete", "ROW EXCLUSIVE", ()),
        ("alter table task add x int", "", ()),
    ],
)
def test_what_no_event_trigger_sees_is_told_by_what_it_always_locks(command, lock, tables):
    assert locked(command) == (lock, tables)


def test_transactions_are_taken_out_line_by_line():
    sql = "-- squawk-ignore-file x\nbegin;\nalter table t\n  add c int;\nrollback to s;\ncommit work;\n"

    assert without_transactions(sql) == "-- squawk-ignore-file x\n;\nalter table t\n  add c int;\nrollback to s;\n;\n"
