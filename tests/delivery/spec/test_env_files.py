"""Variables in committed env files are those of the part that names them, as Compose reads such files."""

from pathlib import Path

import pytest

from delivery.errors import Misconfigured
from delivery.spec.app import App
from delivery.spec.configuration import check_files, configuration_hash, load_app

WHOLE = """
app: shop
images: {web: {}}
services: {web: {port: 80, env_file: [base.env, web.env], env: {LEVEL: debug}}}
backing: {cache: {image: redis, env_file: base.env}}
database: {migrate: {image: web, env_file: base.env}}
suites: {unit: {image: web, env_file: base.env}}
environments: {production: {env_file: base.env}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "headway.yaml").write_text(WHOLE)
    (tmp_path / "Dockerfile").touch()
    (tmp_path / "base.env").write_text("LEVEL=info\nREGION=eu\n")
    (tmp_path / "web.env").write_text("REGION=us\n")
    return tmp_path


def load(folder: Path) -> App:
    app = load_app(folder / "headway.yaml")
    check_files(app, folder)
    return app


def complaint(folder: Path) -> str:
    with pytest.raises(Misconfigured) as caught:
        load(folder)
    return str(caught.value)


def value_of(folder: Path, line: str) -> str:
    (folder / "web.env").write_text(f"HOST=db\n{line}\n")
    return load(folder).services["web"].env["X"]


def test_env_wins_over_env_files_and_a_later_file_over_an_earlier_one(folder: Path) -> None:
    assert load(folder).services["web"].env == {"LEVEL": "debug", "REGION": "us"}


def test_every_part_that_has_variables_may_name_env_files(folder: Path) -> None:
    app = load(folder)
    assert app.database
    assert app.database.migrate
    parts = (app.backing["cache"], app.database.migrate, app.suites["unit"], app.environments["production"])
    assert [part.env for part in parts] == [{"LEVEL": "info", "REGION": "eu"}] * 4


def test_what_is_in_an_env_file_travels_with_the_application_and_is_part_of_the_release(folder: Path) -> None:
    before = load(folder)
    (folder / "web.env").write_text("REGION=ap\n")

    assert App.model_validate_json(before.model_dump_json()) == before
    assert configuration_hash(load(folder), "production") != configuration_hash(before, "production")


def test_an_env_file_that_is_not_there_is_told_with_its_key(folder: Path) -> None:
    (folder / "web.env").unlink()
    assert "headway.yaml: services.web.env_file[1]: there is no file web.env" in complaint(folder)


def test_an_env_file_outside_of_the_folder_is_not_read(folder: Path) -> None:
    (folder.parent / "secret.env").write_text("REGION=elsewhere\n")
    for path in ("../secret.env", str(folder.parent / "secret.env")):
        (folder / "headway.yaml").write_text(WHOLE.replace("web.env", path))
        assert load_app(folder / "headway.yaml").services["web"].env["REGION"] == "eu"
        assert "is outside the folder of headway.yaml" in complaint(folder)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("X=a b", "a b"),
        ("X = a # a comment", "a"),
        ("export X=a#b", "a#b"),
        ('X="a\\nb"  # told', "a\nb"),
        ("X='a\\nb $HOST ${HOST}'", "a\\nb $HOST ${HOST}"),
        ("X=", ""),
        ("X=http://${HOST}:${PORT:-80}", "http://db:80"),
        ("X=pa$word", "pa$word"),
        ("X=${database.url}", "${database.url}"),
        ('X="two\nlines"', "two\nlines"),
    ],
)
def test_a_value_is_read_as_compose_reads_it(folder: Path, line: str, value: str) -> None:
    assert value_of(folder, line) == value


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "X",
            "web.env: line 2: X has no value; allowed: NAME=value, or NAME= for an empty one\n  next: give",
        ),
        (
            "X=${HOTS}",
            "web.env: line 2: ${HOTS}, which no line above gives; allowed: LEVEL, REGION, HOST\n",
        ),
        ("X='a", 'web.env: line 2: found "X=\'a"; allowed: NAME=value, # comments'),
        ("X=${database.ulr}", "headway.yaml: services.web.env.X: found ${database.ulr}; allowed: ${database.url}"),
    ],
)
def test_a_mistake_in_an_env_file_is_told_with_its_line(folder: Path, line: str, told: str) -> None:
    (folder / "web.env").write_text(f"HOST=db\n{line}\n")
    assert complaint(folder).startswith(told)
