"""An approval names what it approves."""

from typing import Literal

import pytest

from delivery.errors import Rejected
from delivery.releases.approval import Decision, check_approval
from delivery.releases.change import compare
from tests.delivery.values import NOON, make_app, make_release


def decide(decision: Literal["approve", "reject"], binding: str, comment: str = "") -> Decision:
    return Decision(
        decision=decision, approver="kim", comment=comment, environment="production", binding=binding, at=NOON
    )


def test_an_approval_of_the_change_passes() -> None:
    change = compare(make_app(), "production", make_release(2), make_release(1), ())
    check_approval(decide("approve", change.binding), change.binding)


def test_a_rejection_stops_with_its_reason() -> None:
    with pytest.raises(Rejected, match="rejected by kim: not on a Friday"):
        check_approval(decide("reject", "b", "not on a Friday"), "b")


@pytest.mark.parametrize(
    "other",
    [
        compare(make_app(), "production", make_release(3), make_release(1), ()),
        compare(make_app(), "production", make_release(2), make_release(3), ()),
        compare(make_app(), "production", make_release(2, migrations="m2"), make_release(1), ()),
        compare(make_app(), "production", make_release(2, configuration="c2"), make_release(1), ()),
        compare(make_app(), "staging", make_release(2), make_release(1), ()),
    ],
)
def test_an_approval_of_something_else_is_void(other: object) -> None:
    approved = compare(make_app(), "production", make_release(2), make_release(1), ())
    with pytest.raises(Rejected, match="by now"):
        check_approval(decide("approve", approved.binding), other.binding)  # type: ignore[attr-defined]


def test_a_change_names_what_differs() -> None:
    change = compare(make_app(), "production", make_release(2, migrations="m2"), make_release(1), ())
    assert (change.images, change.migrations, change.configuration) == (("web",), True, False)


def test_the_first_release_changes_everything() -> None:
    change = compare(make_app(), "production", make_release(1), None, ())
    assert (change.images, change.migrations, change.configuration) == (("web",), True, True)
