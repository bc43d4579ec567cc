"""A release is named by what it consists of."""

from datetime import timedelta

import pytest

from delivery.model import hash_of
from delivery.releases.release import ImageRef, Release
from tests.delivery.values import NOON, make_release, make_revision


def test_a_fingerprint_is_twelve_hex_digits() -> None:
    fingerprint = make_release().fingerprint
    assert len(fingerprint) == 12
    assert set(fingerprint) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "other",
    [
        make_release(2),
        make_release(1, app="other"),
        make_release(1, migrations="m2"),
        make_release(1, configuration="c2"),
    ],
)
def test_other_content_is_another_release(other: Release) -> None:
    assert other.fingerprint != make_release(1).fingerprint


def test_the_same_content_is_the_same_release_whoever_made_it_and_when() -> None:
    elsewhere = {"web": ImageRef(repository="other:5000/web", digest=make_release(1).images["web"].digest)}
    update = {"revision": make_revision(7), "created": NOON + timedelta(days=1), "images": elsewhere}
    assert make_release(1).model_copy(update=update).fingerprint == make_release(1).fingerprint


def test_an_image_is_a_repository_and_a_digest() -> None:
    assert str(make_release(1).images["web"]) == f"shop/web@sha256:{1:064x}"


def test_a_tag_is_no_digest() -> None:
    with pytest.raises(ValueError, match="digest"):
        ImageRef(repository="shop/web", digest="latest")


def test_the_order_of_keys_does_not_change_a_hash() -> None:
    assert hash_of({"a": 1, "b": [2, 3]}) == hash_of({"b": [2, 3], "a": 1})
    assert hash_of([2, 3]) != hash_of([3, 2])
