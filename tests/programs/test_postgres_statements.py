"""What a server wrote down while it migrated, as it was recorded."""

from delivery.programs.postgres_statements import parse_statements

USER = "app"


def line(second, session, tag, message, *, user=USER, database="shop", severity="LOG"):
    at = f"2030-01-02 03:04:{second:06.3f} UTC"
    quoted = message.replace('"', '""')
    who = f'{at},"{user}","{database}",7,"10.0.0.1:5",{session},1,"{tag}",{at},3/4,0'
    return f'{who},{severity},00000,"{quoted}",,,,,,,,,"x"\n'


def took(ms, sql, how="statement"):
    return f"duration: {ms} ms  {how}: {sql}"


def parsed(*lines):
    log = "".join([line(0, "s", "SELECT", took(1, "select 'begin-1'"), user="headway"), *lines])
    log += line(59, "s", "SELECT", took(1, "select 'end-1'"), user="headway")
    log += line(59.5, "a", "DROP TABLE", took(1, "drop table later"))
    return parse_statements(log, {"16": "public.task"}, "shop", between=("begin-1", "end-1"), but="headway")


def test_a_lock_is_held_until_its_transaction_ends():
    alter, update = parsed(
        line(1, "a", "BEGIN", took(0, "BEGIN")),
        line(2, "a", "ALTER TABLE", 'headway-locks [[16,"AccessExclusiveLock"],[99,"ShareLock"]]'),
        line(2, "a", "ALTER TABLE", took(500, "alter table task add x int")),
        line(4, "a", "UPDATE", took(1000, "update task set x = 1")),
        line(5, "a", "COMMIT", took(1, "COMMIT")),
    )

    assert (alter.lock, alter.tables, alter.seconds, alter.locked_seconds) == (
        "ACCESS EXCLUSIVE",
        ("public.task",),
        0.5,
        3.5,
    )
    assert (update.lock, update.tables, update.locked_seconds) == ("ROW EXCLUSIVE", (), 2.0)


def test_outside_of_a_transaction_it_is_held_as_long_as_the_statement_takes():
    (one,) = parsed(
        line(2, "a", "CREATE INDEX", 'headway-locks [[16,"ShareUpdateExclusiveLock"]]'),
        line(2, "a", "CREATE INDEX", took(300, "create index concurrently i on task (x)")),
    )

    assert (one.lock, one.locked_seconds, one.blocks_writers) == ("SHARE UPDATE EXCLUSIVE", 0.3, False)


def test_a_lock_is_told_with_the_statement_that_took_it():
    first, second = parsed(
        line(1, "a", "BEGIN", took(0, "BEGIN")),
        line(2, "a", "ALTER TABLE", 'headway-locks [[16,"AccessExclusiveLock"]]'),
        line(2, "a", "ALTER TABLE", took(1, "alter table task add x int")),
        line(3, "a", "CREATE TABLE", 'headway-locks [[16,"AccessExclusiveLock"],[99,"AccessExclusiveLock"]]'),
        line(3, "a", "CREATE TABLE", took(1, "create table note (id int)")),
        line(4, "a", "COMMIT", took(1, "COMMIT")),
    )

    assert (first.lock, second.lock) == ("ACCESS EXCLUSIVE", "")


def test_what_is_written_anew_is_told():
    (one,) = parsed(
        line(1, "a", "ALTER TABLE", "headway-rewrite task"),
        line(1, "a", "ALTER TABLE", 'headway-locks [[16,"AccessExclusiveLock"]]'),
        line(1, "a", "ALTER TABLE", took(1, "alter table task alter id type bigint", "execute <unnamed>")),
    )

    assert one.rewrites == ("task",)


def test_a_tools_own_books_and_what_only_reads_are_left_out():
    assert (
        parsed(
            line(1, "a", "INSERT", took(1, "INSERT INTO alembic_version (version_num) VALUES ('001')")),
            line(2, "a", "SELECT", took(1, "select 1")),
            line(3, "a", "ALTER TABLE", took(1, "parse of another", "parse <unnamed>")),
            line(4, "a", "DROP TABLE", took(1, "drop table of another"), database="other"),
        )
        == ()
    )


def test_a_line_that_is_not_whole_yet_is_left_out():
    log = line(0, "s", "SELECT", took(1, "select 'begin-1'"), user="headway") + '2030-01-02 03:04:05.678 UTC,"app","sh'

    assert parse_statements(log, {}, "shop", between=("begin-1", "end-1"), but="headway") == ()


LOCKED = 'headway-locks [[16,"AccessExclusiveLock"]]'


def test_a_file_that_is_sent_as_one_query_is_known_by_all_of_its_commands():
    """The server names it by its last one, which changes nothing."""
    drops, notes = "begin; alter table task drop column title; commit;", "update task set x = 1; -- now\nselect 1"
    dropped, noted = parsed(
        line(1, "a", "ALTER TABLE", LOCKED),
        line(1, "a", "COMMIT", took(500, drops)),
        line(2, "a", "SELECT", took(100, notes)),
    )

    assert (dropped.sql, dropped.lock, dropped.tables, dropped.locked_seconds) == (
        drops,
        "ACCESS EXCLUSIVE",
        ("public.task",),
        0.5,
    )
    assert (noted.sql, noted.lock) == (notes, "ROW EXCLUSIVE")


def test_a_transaction_that_begins_and_ends_within_queries_is_followed():
    first, second = parsed(
        line(1, "a", "ALTER TABLE", LOCKED),
        line(1, "a", "ALTER TABLE", took(0, "begin; alter table task add x int")),
        line(4, "a", "COMMIT", took(1000, "update task set x = 1; commit")),
    )

    assert (first.lock, first.locked_seconds) == ("ACCESS EXCLUSIVE", 3.0)
    assert (second.lock, second.locked_seconds) == ("ROW EXCLUSIVE", 1.0)


def test_all_that_one_query_locks_is_told():
    (both,) = parsed(
        line(1, "a", "CREATE INDEX", 'headway-locks [[16,"ShareLock"]]'),
        line(1, "a", "ALTER TABLE", LOCKED),
        line(1, "a", "CREATE TABLE", "headway-locks []"),
        line(1, "a", "CREATE TABLE", took(1, "create index on task (x); alter table task add y int; create table z()")),
    )

    assert both.lock == "ACCESS EXCLUSIVE"


def test_to_go_back_to_a_savepoint_ends_no_transaction():
    (alter,) = parsed(
        line(1, "a", "BEGIN", took(0, "BEGIN")),
        line(1, "a", "ALTER TABLE", LOCKED),
        line(1, "a", "ALTER TABLE", took(0, "alter table task add x int")),
        line(1, "a", "SAVEPOINT", took(0, "savepoint s")),
        line(1.1, "a", "ROLLBACK", took(0, "rollback to savepoint s")),
        line(31, "a", "COMMIT", took(0, "COMMIT")),
    )

    assert alter.locked_seconds == 30.0


def test_what_failed_leaves_its_locks_to_nothing_that_follows():
    assert (
        parsed(
            line(1, "a", "ALTER TABLE", LOCKED),
            line(1, "a", "SELECT", 'column "nonsense" does not exist', severity="ERROR"),
            line(2, "a", "ROLLBACK", took(0, "rollback")),
        )
        == ()
    )


def test_what_a_function_does_that_is_selected_is_told_by_its_locks():
    (one,) = parsed(line(1, "a", "ALTER TABLE", LOCKED), line(1, "a", "SELECT", took(1, "select grow()")))

    assert (one.lock, one.sql) == ("ACCESS EXCLUSIVE", "select grow()")


def test_a_tools_own_books_hide_nothing_that_is_sent_with_them():
    books = "INSERT INTO alembic_version (version_num) VALUES ('001')"
    (one,) = parsed(
        line(1, "a", "ALTER TABLE", LOCKED),
        line(1, "a", "COMMIT", took(1, f"BEGIN; alter table task add x int; {books}; COMMIT")),
    )

    assert one.lock == "ACCESS EXCLUSIVE"


def test_a_statement_of_any_length_is_read():
    sql = f"insert into task (title) values ('{'x' * 200_000}')"
    (one,) = parsed(line(1, "a", "INSERT", took(1, sql)))

    assert one.sql == sql
