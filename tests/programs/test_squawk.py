"""squawk: what it finds in SQL, told by statement."""

import json

from delivery.programs import squawk


def remarks(*statements, **more):
    return {(one.rule, one.statement) for one in squawk.lint(list(statements), "15.0", **more)}


def test_what_it_finds_is_told_with_the_statement_it_is_about():
    found = remarks("create table note (id bigint)", "alter table task\n  drop column title", "drop table old")

    assert ("ban-drop-column", 1) in found
    assert ("ban-drop-table", 2) in found


def test_timeouts_are_those_of_the_session_and_no_fault_of_a_file():
    rules = {rule for rule, _ in remarks("alter table task add column done boolean")}

    assert not {"require-lock-timeout", "require-statement-timeout"} & rules


def test_nothing_is_asked_where_nothing_ran():
    assert squawk.lint([], "15.0") == ()


def test_a_rule_is_told_once_for_a_statement():
    one = {"rule_name": "ban-drop-column", "line": 3, "line_end": 3, "message": "It breaks.", "help": None}

    found = squawk.parse_remarks(json.dumps([one, one]), [2, 3])

    assert [(each.rule, each.statement, each.message) for each in found] == [("ban-drop-column", 1, "It breaks.")]


def test_what_is_no_sql_is_a_finding_and_no_crash():
    assert remarks("selec nonsense from") != set()


def test_a_comment_behind_a_statement_hides_nothing_of_it():
    found = remarks("alter table task drop column title -- nobody reads it", "drop table old; -- nor that;")

    assert {("ban-drop-column", 0), ("ban-drop-table", 1)} <= found
    assert "syntax-error" not in {rule for rule, _ in found}


def test_a_file_with_a_transaction_of_its_own_nests_none():
    found = remarks("begin;\nalter table task drop column title;\ncommit;", "drop table old")

    assert {("ban-drop-column", 0), ("ban-drop-table", 1)} <= found
    assert "transaction-nesting" not in {rule for rule, _ in found}
