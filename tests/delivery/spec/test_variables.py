"""Placeholders in variables are filled in, and an unknown one is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from delivery.errors import Misconfigured
from delivery.ports.database import DatabaseAccess
from delivery.spec.variables import DATABASE_FACTS, fill, placeholders

FACTS = {"database.url": SecretStr("postgresql://app:s3cret@db/app"), "database.host": "db"}


def test_secrets_and_plain_facts_are_filled_in() -> None:
    env = {"URL": "${database.url}?ssl=1", "BOTH": "${database.host}:${database.host}", "PLAIN": "x"}
    assert fill("services.web.env", env, FACTS) == {
        "URL": "postgresql://app:s3cret@db/app?ssl=1",
        "BOTH": "db:db",
        "PLAIN": "x",
    }


def test_an_unknown_placeholder_is_told_with_its_place_and_without_a_secret() -> None:
    with pytest.raises(Misconfigured) as caught:
        fill("services.web.env", {"URL": "${database.uri}"}, FACTS)
    assert str(caught.value) == "services.web.env.URL: ${database.uri}; allowed: ${database.host}, ${database.url}"


def test_what_is_filled_in_is_not_filled_in_again() -> None:
    assert fill("env", {"A": "${database.host}"}, {"database.host": "${database.url}"}) == {"A": "${database.url}"}


@pytest.mark.parametrize("text", ["${HOME}", "$database.url", "${}", "${database.}", "$${", "{database.url}"])
def test_other_signs_are_left_alone(text: str) -> None:
    assert fill("env", {"A": text}, {}) == {"A": text}


@given(st.dictionaries(st.text(min_size=1), st.text(alphabet=st.characters(exclude_characters="$"))))
def test_text_without_a_placeholder_stays_as_it_is(env: dict[str, str]) -> None:
    assert fill("env", env, {}) == env


def test_the_facts_a_file_may_name_are_those_a_database_has() -> None:
    facts = DatabaseAccess(name="app", password=SecretStr("x")).facts()
    assert tuple(facts) == DATABASE_FACTS
    assert placeholders("".join(f"${{{name}}}" for name in facts)) == list(facts)
