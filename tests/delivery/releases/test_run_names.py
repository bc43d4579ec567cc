"""A run is called by its application, revision and environment, and numbers agree with their nouns."""

import pytest

from delivery.counting import counted
from delivery.releases.run_names import app_of, called, delivery_name, rollback_name


@pytest.mark.parametrize(
    ("name", "app"),
    [
        (delivery_name("shop", "1a2b3c4", "production"), "shop"),
        (delivery_name("shop", "feature/x", "production"), "shop"),
        (rollback_name("moon-2", "staging"), "moon-2"),
        (rollback_name("moon-2", "staging", "1a2b3c4"), "moon-2"),
        (delivery_name("?", "HEAD", "production"), ""),
        ("brave-otter", ""),
        ("HEAD → production", ""),
        ("main → production", ""),
        ("", ""),
    ],
)
def test_a_name_tells_its_application_where_headway_gave_it(name: str, app: str) -> None:
    assert app_of(name) == app


def test_names_are_as_people_say_them() -> None:
    assert delivery_name("shop", "1a2b3c4", "production") == "shop 1a2b3c4 → production"
    assert rollback_name("shop", "production") == "shop rollback → production"
    assert rollback_name("shop", "production", "1a2b3c4") == "shop rollback to 1a2b3c4 → production"
    assert called("shop 1a2b3c4 → production", "0123456789ab") == "shop 1a2b3c4 → production (run 01234567)"
    assert called("", "run-1") == "run-1"


@pytest.mark.parametrize(("number", "said"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (1000, "1000 images")])
def test_a_number_agrees_with_its_noun(number: int, said: str) -> None:
    assert counted(number, "image") == said


def test_a_noun_may_have_a_plural_of_its_own() -> None:
    assert [counted(number, "entry", "entries") for number in (1, 2)] == ["1 entry", "2 entries"]
