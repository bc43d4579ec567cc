"""A masking file is taken, or every mistake in it is told with its place and what is allowed."""

from pathlib import Path

import pytest

from delivery.errors import Misconfigured
from delivery.spec.app import App
from delivery.spec.configuration import load_app_text
from delivery.spec.masking import Masking, load_masking
from delivery.spec.named_files import file_problems
from tests.delivery.values import make_app

FILE = """
tables:
  customer:
    columns: {name: {fake: name}, phone: null, note: empty, id: keep, email: hash}
  audit.log: {truncate: true}
large_objects: empty
"""
TWO = """
app: shop
images: {web: {}}
services: {web: {port: 8000}}
database: {}
environments:
  production: {}
  staging: {refresh: {from: production, masking: masking.yaml}}
"""


def test_a_masking_file_says_what_becomes_of_each_column(tmp_path: Path) -> None:
    (tmp_path / "masking.yaml").write_text(FILE)

    masking = load_masking(tmp_path, "masking.yaml")

    shown = {name: rule.shown for name, rule in masking.tables["customer"].columns.items()}
    assert shown == {"name": "{fake: name}", "phone": "null", "note": "empty", "id": "keep", "email": "hash"}
    assert masking.tables["audit.log"].truncate
    assert Masking.model_validate(masking.model_dump()) == masking
    assert Masking.model_validate_json(masking.model_dump_json()) == masking


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "tables: {a: {columns: {b: hide}}}",
            "tables.a.columns.b: found 'hide'; allowed: keep, null, hash, empty, {fake",
        ),
        ("tables: {a: {columns: {b: {fake: nam}}}}", "tables.a.columns.b: found fake: nam; allowed: keep, null"),
        ("tables: {a: {colums: {}}}", "tables.a.colums: there is no such key; allowed: truncate, columns"),
        ("table: {}", "table: there is no such key; allowed: tables, large_objects, comments, definitions"),
        ("file: x", "file: there is no such key; allowed: tables"),
        ("large_objects: drop", "large_objects: found 'drop'; allowed: keep or empty"),
        ("tables: {a: hash}", "tables.a: found 'hash'; allowed: truncate, columns"),
        ("tables: {a: {columns: {on: hash}}}", "the key is not text; write it in quotes"),
        (
            "tables: {a: {truncate: true, columns: {b: keep}}}",
            "tables.a: has truncate and columns; allowed: one of them",
        ),
        ("- a", "found ['a']; allowed: keys with values"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_mistake_in_it_is_told_with_its_place_and_what_is_allowed(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "masking.yaml").write_text(text)

    with pytest.raises(Misconfigured) as refused:
        load_masking(tmp_path, "masking.yaml")

    assert str(refused.value).startswith("masking.yaml")
    assert told in str(refused.value)


def test_an_environment_names_whose_data_it_gets_and_the_file() -> None:
    refresh = load_app_text(TWO).environments["staging"].refresh

    assert refresh is not None
    assert (refresh.source, refresh.masking) == ("production", "masking.yaml")
    app = load_app_text(TWO)
    assert App.model_validate_json(app.model_dump_json()) == app  # as releases are kept


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ("from: production", "from: nowhere", "refresh.from: no such name (found nowhere); allowed: production"),
        ("from: production", "from: staging", "refresh.from: no such name (found staging); allowed: production"),
        ("database: {}\n", "", "environments.staging.refresh: there is no `database` in the file"),
        ("masking: masking.yaml", "mask: masking.yaml", "did you mean masking? allowed: from, masking"),
    ],
)
def test_what_does_not_fit_the_rest_of_the_file_is_told(was: str, now: str, told: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        load_app_text(TWO.replace(was, now))

    assert told in str(refused.value)


def test_a_masking_file_that_is_not_there_or_wrong_is_found_before_anything_runs(tmp_path: Path) -> None:
    app = load_app_text(TWO).model_copy(update={"images": {}, "services": make_app().services})

    missing = file_problems(app, tmp_path)
    (tmp_path / "masking.yaml").write_text("tables: {a: {columns: {b: hide}}}")
    [wrong] = file_problems(app, tmp_path)

    assert missing == ["environments.staging.refresh.masking: there is no file masking.yaml"]
    assert wrong.startswith("environments.staging.refresh.masking: masking.yaml: tables.a.columns.b: found 'hide'")
