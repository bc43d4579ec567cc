"""The migrations are part of a release: by name, content and command."""

from pathlib import Path

import pytest

from delivery.releases.change import compare
from delivery.releases.difference import Known, differ
from delivery.releases.migrations import migrations_hash, same_migrations
from tests.delivery.values import make_app, make_release

MIGRATE = {"image": "web", "command": ["migrate"], "files": "migrations"}
GOLDEN = "4fa3d50c0f1c0593ea138ba44e966a63daf8973b74b4bf216eeb57d3d71f5d94"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "1.sql").write_text("create table a();")
    return tmp_path


def of(source: Path, **change: object) -> str:
    return migrations_hash(source, make_app(database={"migrate": MIGRATE | change}))


def test_the_same_files_have_the_same_hash(source: Path) -> None:
    (source / "unrelated.txt").write_text("x")
    before = of(source)
    (source / "unrelated.txt").write_text("y")
    assert of(source) == before


def test_new_content_a_new_name_and_another_command_are_other_migrations(source: Path) -> None:
    seen = {of(source), of(source, command=["other"]), of(source, image="other")}
    (source / "migrations" / "1.sql").write_text("create table b();")
    seen.add(of(source))
    (source / "migrations" / "1.sql").rename(source / "migrations" / "2.sql")
    seen.add(of(source))
    assert len(seen) == 5


def test_without_files_only_the_command_counts(source: Path) -> None:
    before = of(source, files=None)
    (source / "migrations" / "2.sql").touch()
    assert of(source, files=None) == before


def test_an_application_without_migrations_has_a_hash_as_well(source: Path) -> None:
    assert migrations_hash(source, make_app()) == migrations_hash(source, make_app(database={}))


def test_a_migration_that_moves_to_another_folder_is_another_one(source: Path) -> None:
    before = of(source)
    (source / "migrations" / "later").mkdir()
    (source / "migrations" / "1.sql").rename(source / "migrations" / "later" / "1.sql")
    assert of(source) != before


def test_the_hash_of_one_folder_stays_what_it_was_in_releases_that_are_kept(source: Path) -> None:
    assert of(source) == GOLDEN
    assert of(source, files=["migrations"]) == GOLDEN


def test_files_of_several_folders_all_count_in_any_order(source: Path) -> None:
    (source / "orders" / "migrations").mkdir(parents=True)
    (source / "orders" / "migrations" / "1.sql").write_text("create table o();")
    both, other = ["migrations", "orders/migrations"], ["orders/migrations", "migrations"]
    before = of(source, files=both)
    assert before not in (of(source), of(source, files=["orders/migrations"]))
    assert of(source, files=other) == before
    (source / "orders" / "migrations" / "2.sql").touch()
    assert of(source, files=both) != before
    assert of(source) == GOLDEN


@pytest.mark.parametrize(
    ("files", "image", "number", "same"),
    [
        ("migrations", "web", 2, True),  # what is in the folder is in the hash
        (None, "web", 1, True),
        (None, "web", 2, False),
        (None, "tools:1", 2, True),  # no release has its digest
    ],
)
def test_without_files_the_image_that_migrates_has_to_be_the_same(
    files: str | None, image: str, number: int, same: bool
) -> None:
    app = make_app(database={"migrate": MIGRATE | {"files": files, "image": image}})
    assert same_migrations(app, make_release(1), make_release(number)) is same
    assert not same_migrations(app, make_release(1, migrations="m1"), make_release(1, migrations="m2"))
    assert compare(app, "production", make_release(number), make_release(1)).migrations is not same
    old, new = (Known("", app, make_release(one)) for one in (1, number))
    assert differ(old, new).migrations is not same


def test_without_a_database_all_migrations_are_the_same() -> None:
    assert same_migrations(make_app(), make_release(1), make_release(2))
