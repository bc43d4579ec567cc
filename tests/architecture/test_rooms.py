"""Each room keeps to what it is for; what import-linter cannot say is said here."""

import ast
import importlib
import pkgutil
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import PurePosixPath

import pydantic
import pytest
import yaml

import delivery
from tests.architecture.sources import importing, imports, modules, text, tracked

OURS = {"cli", "flows", "tasks", "blocks", "delivery", "local_aws", "tests"}
PLACES = ("delivery.docker", "delivery.aws", "delivery.memory", "delivery.terraform", "delivery.github")
SDKS = ("docker", "boto3", "botocore", "kubernetes", "githubkit")
TARGETS = re.compile(r"docker|haproxy|codedeploy|\becs\b|kubernetes|argo", re.IGNORECASE)
# The machine's own platform, which is Docker whatever the target is.
OF_THE_MACHINE = {"cli/doctor.py", "cli/platform.py"}
FAST_TESTS = ("tests/delivery/", "tests/programs/", "tests/cli/", "tests/bench/", "tests/architecture/")


def test_what_a_delivery_is_runs_without_prefect() -> None:
    assert importing(modules("delivery/"), "prefect", "prefect_aws", "prefect_docker", "typer", "rich") == set()


def test_only_hands_touch_an_sdk() -> None:
    hands = ("delivery/docker/", "delivery/aws/", "delivery/github/", "delivery/platform/", "local_aws/", "tests/")
    hands += ("bench/", "examples/")
    hands += ("infra/aws/relay/",)  # it runs on AWS
    files = [name for name in modules("") if not name.startswith(hands)]
    assert importing(files, *SDKS) == set()


def test_decisions_call_nobody() -> None:
    hands_are = (
        "delivery/docker/",
        "delivery/aws/",
        "delivery/github/",
        "delivery/memory/",
        "delivery/terraform/",
        "delivery/platform/",
        "delivery/programs/",
        "delivery/opening.py",
        "delivery/state.py",
    )
    pure = [name for name in modules("delivery/") if not name.startswith(hands_are)]
    hands = (*PLACES, "delivery.programs", "delivery.platform", "subprocess", "httpx")
    assert len(pure) > 100
    assert importing(pure, *hands) == set()


def test_programs_are_started_in_one_place() -> None:
    starting = importing(modules(*(f"{room}/" for room in OURS - {"tests"})), "subprocess", "pty", "multiprocessing")
    assert starting == {
        "delivery/programs/run.py",
        "delivery/platform/daemon.py",  # what outlives the command: server and worker
        "delivery/programs/watchdog.py",
        "delivery/programs/tunnel.py",  # lives as long as this process: the way to another machine
    }


def test_flows_and_commands_do_not_know_where_releases_run() -> None:
    knowing = {name for name in modules("flows/", "cli/") if TARGETS.search(text(name))}
    assert knowing <= OF_THE_MACHINE


def test_phases_are_read_on_one_screen() -> None:
    assert len(text("flows/deliver.py").splitlines()) <= 50


LONGEST_FILE, LONGEST_FUNCTION = 300, 45  # lines; more is not read as a whole
ROOMS = ("delivery/", "tasks/", "flows/", "cli/", "blocks/", "local_aws/")


def test_no_file_is_longer_than_one_can_keep_in_mind() -> None:
    lengths = {name: len(text(name).splitlines()) for name in modules(*ROOMS)}
    assert len(lengths) > 200
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_every_function_is_read_on_one_screen() -> None:
    lengths = {
        f"{name}: {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for name in modules(*ROOMS)
        for node in ast.walk(ast.parse(text(name)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert len(lengths) > 1000
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


def test_imports_name_the_whole_module() -> None:
    assert not [name for name in modules("") for found in imports(name) if found.startswith(".")]


@pytest.mark.parametrize("room", ["flows", "tasks", "blocks"])
def test_no_file_is_named_like_a_library(room: str) -> None:
    # A folder of flows is first on the path when a flow is loaded by its file.
    libraries = (set(packages_distributions()) | set(sys.stdlib_module_names) | OURS) - {"tests"}
    assert {PurePosixPath(name).stem for name in modules(f"{room}/")} & libraries == set()


def test_measurements_are_run_as_modules() -> None:
    # As files they would have their own folder first on the path, where delivery.py hides the package.
    written = [text(name) for name in tracked() if name == "Makefile" or name.endswith((".py", ".md", ".sh", ".yaml"))]
    assert not [found for page in written for found in re.findall(r"python\S* bench/\w+", page)]
    assert "python -m bench.delivery" in text("Makefile")


def test_deployments_name_flows_by_module_and_not_by_file() -> None:
    for deployment in yaml.safe_load(text("deployments.yaml"))["deployments"]:
        module, _, function = deployment["entrypoint"].partition(":")
        tree = ast.parse(text(f"{module.replace('.', '/')}.py"))
        assert function in {node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)}


def test_values_are_frozen_and_take_no_unknown_key() -> None:
    for found in pkgutil.walk_packages(delivery.__path__, "delivery."):
        importlib.import_module(found.name)
    ahead, models = [pydantic.BaseModel], []
    while ahead:
        ahead = [below for model in ahead for below in model.__subclasses__()]
        models += [model for model in ahead if model.__module__.startswith("delivery.")]
    lax = [m.__name__ for m in models if not m.model_config.get("frozen") or m.model_config.get("extra") != "forbid"]
    assert len(models) > 30
    assert lax == []


def test_nothing_waits_in_the_fast_tests() -> None:
    calls = [
        f"{name}:{node.lineno}"
        for name in modules(*FAST_TESTS)
        for node in ast.walk(ast.parse(text(name)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sleep"
    ]
    assert calls == []


def test_the_fast_tests_need_neither_docker_nor_prefect() -> None:
    assert importing(modules(*FAST_TESTS), "docker", "prefect", "tests.support.platforms") == set()
