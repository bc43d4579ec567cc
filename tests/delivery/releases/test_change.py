"""What a release changes against what is live."""

from delivery.releases.change import compare
from delivery.releases.release import ImageRef
from tests.delivery.values import make_app, make_release


def with_images(number: int, **digests: int) -> object:
    images = {name: ImageRef(repository="r/x", digest=f"sha256:{digest:064x}") for name, digest in digests.items()}
    return make_release(number).model_copy(update={"images": images})


def test_the_same_release_changes_nothing() -> None:
    change = compare(make_app(), "production", make_release(1), make_release(1), ())
    assert (change.images, change.migrations, change.configuration) == ((), False, False)


def test_new_changed_and_removed_images_are_named() -> None:
    live, new = with_images(1, web=1, api=2, old=3), with_images(2, web=1, api=9, jobs=4)
    assert compare(make_app(), "production", new, live, ()).images == ("api", "jobs", "old (removed)")  # type: ignore[arg-type]


def test_the_same_change_has_the_same_binding() -> None:
    first = compare(make_app(), "production", make_release(2), make_release(1), ())
    again = compare(make_app(), "production", make_release(2), make_release(1), ())
    assert first.binding == again.binding


def test_what_is_said_about_a_change_is_no_part_of_what_is_approved() -> None:
    change = compare(make_app(), "production", make_release(2), make_release(1), ())
    assert change.model_copy(update={"findings": "none", "tests": "9 passed"}).binding == change.binding
