"""What is known of the moment of a snapshot, by a look before and one after it."""

from datetime import timedelta

import pytest

from delivery.aws.rds_looks import Look, Looks, at_a_moment_between, comparable, of_disk, of_dump
from delivery.aws.rds_snapshots import identifier
from delivery.errors import Rejected
from delivery.home import Home
from delivery.ports.backups import compare
from delivery.ports.table_states import SENTINEL, TableState
from delivery.programs.postgres_managed import LOGGED
from tests.delivery.changes.test_kept import NOON, PROOF

PARCEL = TableState(kind="table", name="parcel", rows=20, checksum="a")
NUMBERS = TableState(kind=LOGGED, name="parcel_id", rows=20, checksum="true")
ROLE = TableState(kind="role", name="app", rows=0, checksum="b")


def on(state, rows, checksum="c"):
    return state.model_copy(update={"rows": rows, "checksum": checksum})


def test_what_is_the_same_in_both_looks_is_compared_and_what_changed_is_not():
    later = on(PARCEL, 25)
    states, moved = at_a_moment_between((PARCEL, ROLE), (later, ROLE, on(PARCEL, 1).model_copy(update={"name": "new"})))

    assert (states, moved) == ((ROLE,), (("table", "new"), ("table", "parcel")))
    look = Look(token="ab", marked=NOON, states=states, moved=moved)
    assert compare(*comparable(look, (on(PARCEL, 22), ROLE))) == ()
    assert compare(*comparable(look, (on(PARCEL, 22), on(ROLE, 0)))) == ("role app: not the same in the copy",)


@pytest.mark.parametrize("known", [True, False], ids=["a look of today", "one that was kept before it was looked at"])
def test_what_no_log_has_is_empty_in_a_copy_of_the_disk_and_that_is_no_damage(known):
    cache, numbers = (one.model_copy(update={"unlogged": known}) for one in (PARCEL, NUMBERS))
    look = Look(token="ab", marked=NOON, states=(cache, numbers, ROLE))
    lost = (on(one, 0).model_copy(update={"unlogged": True}) for one in (cache, numbers))

    assert compare(*comparable(look, (*lost, ROLE))) == ()
    assert compare(*comparable(look, (ROLE,))) == (
        "logged sequence parcel_id is missing in the copy",
        "table parcel is missing in the copy",
    )


@pytest.mark.parametrize(("rows", "fits"), [(19, False), (20, True), (23, True), (25, True), (26, False)])
def test_of_a_sequence_that_went_on_the_bounds_are_known(rows, fits):
    states, moved = at_a_moment_between((NUMBERS,), (on(NUMBERS, 25, "true"),))

    assert moved == ()
    assert (compare(states, (on(NUMBERS, rows, "true"),)) == ()) is fits


def test_of_a_sequence_a_copy_of_the_disk_has_what_was_logged_and_a_dump_the_last_number():
    given = TableState(kind="sequence", name="parcel_id", rows=3, checksum="true")

    assert at_a_moment_between((given, NUMBERS), (on(given, 4), NUMBERS)) == ((NUMBERS,), ())
    assert (of_disk((given, NUMBERS)), of_dump((given, NUMBERS))) == ((NUMBERS,), (given,))


def test_the_mark_was_there_although_a_killed_process_removed_it_before_the_second_look():
    mark = TableState(kind=SENTINEL, name="1", rows=1, checksum="a")

    assert at_a_moment_between((mark,), (), mark="1") == ((mark,), ())
    assert at_a_moment_between((mark,), (), mark="2") == ((), ((SENTINEL, "1"),))


def test_looks_and_proofs_are_kept_in_the_home_until_the_backup_is_forgotten(tmp_path):
    looks = Looks(Home(tmp_path), "shop", "production")
    assert (looks.begun("s"), looks.of("s"), looks.proof("s")) == (None, None, None)

    looks.begin("s", Look(token="ab", marked=NOON, states=(PARCEL,)))
    found = looks.finish("s", (PARCEL,), NOON + timedelta(seconds=3))
    looks.keep_proof("s", PROOF)

    assert (looks.of("s"), looks.proof("s"), found.states) == (found, PROOF, (PARCEL,))
    assert (found.tables, found.rows, found.rpo_seconds) == (1, 20, 3)
    assert {path.stat().st_mode & 0o777 for path in (looks.folder / "s").iterdir()} == {0o600}
    looks.forget("s")
    assert looks.of("s") is None


def test_what_is_cut_off_is_told_and_hides_no_other_backup(tmp_path):
    looks = Looks(Home(tmp_path), "shop", "production")
    looks.begin("s", Look(token="ab", marked=NOON, states=(PARCEL,)))
    looks.finish("s", (PARCEL,), NOON)
    for name in ("first.json", "look.json", "proof.json"):
        (looks.folder / "s" / name).write_bytes(b"{")

    assert (looks.begun("s"), looks.abandoned("s", NOON + timedelta(days=1))) == (None, ())
    assert looks.proof("s").outcome == "fail"
    with pytest.raises(Rejected, match=r"s/look\.json cannot be read: .*\n  next: remove it"):
        looks.of("s")


def test_a_look_is_made_once_with_a_token_that_a_killed_process_leaves_to_the_next(tmp_path):
    looks, tokens = Looks(Home(tmp_path), "shop", "production"), []

    def killed(token):
        tokens.append(token)
        raise KeyboardInterrupt

    def make(token):
        tokens.append(token)
        return Look(token=token, marked=NOON, states=(PARCEL,))

    with pytest.raises(KeyboardInterrupt):
        looks.begin_with("drill-1", killed)
    made = looks.begin_with("drill-1", make)

    assert (looks.begin_with("drill-1", make), tokens) == (made, [made.token] * 2)


def test_looks_that_nobody_went_on_with_are_found_and_those_of_copies_are_not(tmp_path):
    looks, later = Looks(Home(tmp_path), "shop", "production"), NOON + timedelta(hours=1)
    for name, marked in {"drill-old": NOON, "drill-new": later, "drill-sent": NOON, "other": NOON}.items():
        looks.begin(name, Look(token="1f", marked=marked, states=(PARCEL,)))
    looks.finish("drill-sent", (PARCEL,), NOON)
    looks.keep_copy("drill-sent", "arn:copy")

    assert looks.abandoned("drill-", later) == ("drill-old",)
    assert (looks.of_copy("arn:copy"), looks.of_copy("arn:none")) == (looks.of("drill-sent"), None)
    looks.forget_copies([])
    assert looks.of_copy("arn:copy") is None


def test_a_name_for_rds_is_the_same_of_the_same_and_one_that_rds_takes():
    one, other = identifier("headway-a--b", "run-1", "by hand"), identifier("headway-a--b", "run-1", "by schedule")

    assert one == identifier("headway-a--b", "run-1", "by hand") != other
    assert one.startswith("headway-a-b-")
    assert identifier("headway-x", "run1", "") != identifier("headway-x", "run", "1")
