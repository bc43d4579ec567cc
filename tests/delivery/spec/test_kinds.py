"""Keys whose other keys depend on `kind`: the database today, as targets are."""

from typing import Annotated, Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from delivery.model import Model
from delivery.spec.app import App
from delivery.spec.configuration import configuration_hash
from delivery.spec.database import ContainerDatabase
from delivery.spec.kinds import ByKind, classes_of
from delivery.spec.schema import app_schema

# As it lies in a store: with the engine, and without a kind, which there was not.
KEPT: dict[str, Any] = {
    "engine": "postgres",
    "image": "postgres:15-alpine",
    "name": "app",
    "migrate": {
        "image": "web",
        "command": None,
        "env": {},
        "env_file": None,
        "secrets": {},
        "files": None,
        "timeout_seconds": 600,
    },
}
# Of the configuration below, as the Headway that kept it says.
HASH = "500c76c8224a3b2baf7b9e2850dc80b88ae310e7e07f9c3002d242e99413093d"


def described(database: object, **production: object) -> dict[str, Any]:
    return {
        "app": "shop",
        "images": {"web": {}},
        "services": {"web": {"port": 8000}},
        "database": database,
        "environments": {"production": production},
    }


def test_a_database_without_a_kind_is_one_in_a_container() -> None:
    said, left_out = (App.model_validate(described(one)) for one in ({"kind": "container"}, {}))

    assert said == left_out
    assert isinstance(said.database, ContainerDatabase)


@pytest.mark.parametrize(
    "database", [KEPT, {"migrate": {"image": "web"}}, {"kind": "container", "migrate": {"image": "web"}}]
)
def test_a_release_has_the_configuration_that_it_had_before_databases_had_kinds(database: object) -> None:
    app = App.model_validate(described(database))

    assert app.model_dump(mode="json")["database"] == KEPT
    assert configuration_hash(app, "production") == HASH
    assert App.model_validate_json(app.model_dump_json()) == app


@pytest.mark.parametrize(
    ("database", "target", "problems"),
    [
        ({}, {}, 0),
        (None, {"port": 80}, 0),
        ({"kind": "container", "name": "shop"}, {"kind": "memory"}, 0),
        ({"kind": "rds"}, {}, 1),
        ({}, {"kind": "ecs", "cluster": "shop"}, 0),
        ({}, {"kind": "eks"}, 1),
        ({"nam": "shop"}, {"kind": "memory", "port": 80}, 2),
    ],
)
def test_an_editor_is_told_the_same(database: object, target: object, problems: int) -> None:
    found = list(Draft202012Validator(app_schema()).iter_errors(described(database, target=target)))

    assert len(found) == problems


class Elsewhere(Model):
    """A database of another kind, as it will be added: a class, and its name in the union."""

    kind: Literal["elsewhere"]
    address: str


class OneOfTwo(Model):
    database: Annotated[ContainerDatabase | Elsewhere, ByKind(left_out="container")]


def test_another_kind_is_a_class_in_the_union() -> None:
    read = [OneOfTwo.model_validate({"database": one}) for one in ({"kind": "elsewhere", "address": "db:5432"}, {})]

    assert [type(one.database) for one in read] == [Elsewhere, ContainerDatabase]
    assert [OneOfTwo.model_validate_json(one.model_dump_json()) for one in read] == read
    assert [OneOfTwo(database=one.database) for one in read] == read
    assert classes_of(OneOfTwo.model_fields["database"].annotation) == {
        "container": ContainerDatabase,
        "elsewhere": Elsewhere,
    }
    with pytest.raises(ValidationError, match="expected tags: 'container', 'elsewhere'"):
        OneOfTwo.model_validate({"database": {"kind": "rds"}})
