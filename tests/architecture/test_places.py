"""No room that is about every place knows one of them: neither by its name nor by the class of its target."""

import ast
from collections.abc import Iterator

import pytest

from delivery.opening import PLACES
from delivery.spec.kinds import classes_of
from delivery.spec.targets import TargetConfig
from tests.architecture.sources import modules, text

GENERIC = ("spec", "releases", "changes", "traffic", "testing", "scanning", "ports", "report")
ROOMS = ("flows/", "tasks/", "cli/", *(f"delivery/{room}/" for room in GENERIC))
OF_THE_KINDS = {"delivery/spec/targets.py", *(f"delivery/spec/{kind}_target.py" for kind in PLACES)}
TARGETS = {model.__name__ for model in classes_of(TargetConfig).values()}


def compared(tree: ast.AST) -> Iterator[str]:
    """Yield the names of places that something is compared with, and the classes of targets that are used."""
    for node in ast.walk(tree):
        values: list[ast.AST] = []
        match node:
            case ast.Compare():
                values = [node.left, *node.comparators]
            case ast.MatchValue():
                values = [node.value]
            case ast.Name(id=name) | ast.alias(name=name) | ast.Attribute(attr=name) if name in TARGETS:
                yield name
        for value in (below for one in values for below in ast.walk(one)):
            if isinstance(value, ast.Constant) and value.value in PLACES:
                yield str(value.value)


def test_no_room_for_every_place_asks_which_one_it_is() -> None:
    files = [name for name in modules(*ROOMS) if name not in OF_THE_KINDS]
    assert len(files) > 100
    assert {name: found for name in files if (found := list(compared(ast.parse(text(name)))))} == {}


@pytest.mark.parametrize(
    "line",
    [
        'if target.kind != "docker": pass',
        'if target.kind in ("memory", "ecs"): pass',
        "isinstance(environment.target, DockerTarget)",
        "from delivery.spec.targets import MemoryTarget",
        'match target.kind:\n case "docker" | "ecs": pass',
    ],
)
def test_a_line_that_asks_would_be_found(line: str) -> None:
    assert list(compared(ast.parse(line)))


def test_whoever_has_a_place_has_a_target_of_its_kind() -> None:
    assert set(classes_of(TargetConfig)) == set(PLACES)


def test_the_steps_know_no_address_of_a_registry() -> None:
    """They hand the platform's registry on; what stands in front of an image is a place's own business."""
    asking = {"repository", "reference"}
    calls = [
        f"{name}:{node.lineno}"
        for name in modules("flows/", "tasks/")
        for node in ast.walk(ast.parse(text(name)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in asking
    ]
    assert calls == []
