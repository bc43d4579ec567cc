"""A plan is carried out once, by whoever it is for, and read by nobody else."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from delivery.changes.plans import PlanBook
from delivery.errors import Rejected
from delivery.ports.infrastructure import PlannedInfrastructure
from delivery.ports.store import FolderStore
from delivery.releases.infrastructure import InfrastructurePlan, Output, ResourceChange

CONTENT = b"canary-7c1e and what else a plan holds"
WHOSE = ("shop", "staging", "staging")


def planned(content=CONTENT, **more):
    now = datetime.now(UTC)
    fields = {"stack": "infra", "run": "run-1", "made_at": now, "expires_at": now + timedelta(hours=1)}
    fields |= dict(zip(("app", "environment", "workspace"), WHOSE, strict=True))
    digest = hashlib.sha256(content).hexdigest()
    plan = InfrastructurePlan.model_validate({**fields, "sha256": digest, "changes_anything": True, **more})
    return PlannedInfrastructure(plan, content)


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path)


@pytest.fixture
def book(store):
    return PlanBook(store, SecretStr("headway:k3y"))


def test_a_plan_is_taken_by_one_run_alone(book):
    plan = book.keep(planned())

    assert book.take(plan, WHOSE, run="first-run") == CONTENT
    with pytest.raises(Rejected, match=r"was taken by run first-ru at .*: a plan is carried out once"):
        book.take(plan, WHOSE, run="second-run")


def test_a_run_that_was_cut_off_in_the_middle_does_not_get_its_plan_a_second_time(book):
    plan = book.keep(planned())
    book.take(plan, WHOSE, run="first-run")

    assert not book.was_applied(plan, "first-run")
    with pytest.raises(Rejected, match="carried out once"):
        book.take(plan, WHOSE, run="first-run")


def test_what_was_carried_out_is_known_to_the_run_that_did_it(book):
    plan = book.keep(planned())
    book.take(plan, WHOSE, run="first-run")
    book.close(plan, "first-run")

    assert book.was_applied(plan, "first-run")
    assert not book.was_applied(plan, "second-run")


@pytest.mark.parametrize(
    "other", [("other", *WHOSE[1:]), ("shop", "production", "staging"), ("shop", "staging", "production")]
)
def test_a_plan_for_something_else_is_refused_and_not_used_up(other, book):
    plan = book.keep(planned())

    with pytest.raises(Rejected, match="is for shop/staging/staging, not for"):
        book.take(plan, other, run="run-2")

    assert book.take(plan, WHOSE, run="run-3") == CONTENT


def test_a_plan_whose_time_is_over_is_refused(book):
    plan = book.keep(planned(expires_at=datetime.now(UTC) - timedelta(seconds=1)))

    with pytest.raises(Rejected, match=r"was to be applied until .*\n  next: headway run makes a new plan"):
        book.take(plan, WHOSE, run="run-2")


def test_a_plan_that_was_changed_or_exchanged_is_refused(book, store):
    plan, other = book.keep(planned()), book.keep(planned(b"another"))
    exchanged = plan.model_copy(update={"sha256": "0" * 64})
    store.put(f"plans/shop/staging/{'0' * 64}.plan", store.get(f"plans/shop/staging/{other.sha256}.plan"))

    with pytest.raises(Rejected, match="is not the one that was approved"):
        book.take(exchanged, WHOSE, run="run-2")


def test_a_plan_of_another_platform_cannot_be_read(book, store):
    plan = book.keep(planned())

    with pytest.raises(Rejected, match="was made by another platform, or was changed"):
        PlanBook(store, SecretStr("headway:another")).take(plan, WHOSE, run="run-2")


def test_nothing_that_is_kept_tells_what_is_in_a_plan(book, store):
    book.keep(planned())

    assert len(kept := [store.get(key) for key in store.keys("plans")]) == 2
    assert not [one for one in kept if b"canary" in one]


def test_a_plan_is_found_by_the_first_digits_of_its_hash(book):
    plan, _ = book.keep(planned()), book.keep(planned(b"another"))
    book.take(plan, WHOSE, run="run-2")

    assert book.find("shop", "staging", plan.short) == plan
    for digits, said in (("", "several plans"), ("f" * 12, "no plan")):
        with pytest.raises(Rejected, match=f"there is {said}"):
            book.find("shop", "staging", digits)


def test_a_summary_counts_what_happens_to_how_many():
    changes = [
        ResourceChange(address=f"a.{n}", type="a", action=act) for n, act in enumerate(["create", "create", "replace"])
    ]

    assert planned(changes=changes).plan.summary() == "2 to create, 1 to replace"
    assert planned(outputs=("url",)).plan.summary() == "outputs: url"
    assert planned().plan.summary() == "only the state"
    assert planned(changes_anything=False).plan.summary() == "nothing changes"


def test_what_an_infrastructure_says_of_itself_is_kept_but_for_what_is_sensitive_and_written_once(book, store):
    said = [
        Output(name="service", sensitive=False, value={"cluster": "shop"}),
        Output(name="key", sensitive=True, value=1),
    ]

    before = book.outputs("shop", "staging")
    for _ in range(2):
        book.keep_outputs("shop", "staging", said)

    assert before is None
    assert book.outputs("shop", "staging") == {"service": {"cluster": "shop"}}
    assert len(list(store.keys("outputs"))) == 1
    book.keep_outputs("shop", "staging", [])
    assert book.outputs("shop", "staging") == {}
    assert book.outputs("shop", "production") is None
