"""What users read is true: commands and options exist, links lead somewhere, every key is explained."""

import re

import pytest
import typer
import yaml
from jsonschema import Draft202012Validator

from cli.main import app
from delivery.errors import HeadwayError
from delivery.spec.app import App
from delivery.spec.configuration import check_files, load_app
from delivery.spec.schema import app_schema
from tests.architecture.sources import ROOT, text, tracked

DOCS = [name for name in tracked() if name.startswith("docs/") and name.endswith(".md")]
PAGES = ["README.md", "CONTRIBUTING.md", *DOCS]
EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/headway.yaml"))
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
ROOT_OPTIONS = {name for one in typer.main.get_command(app).params for name in one.opts}
LINKS = [(page, link) for page in PAGES for link in re.findall(r"\]\(([^)\s]+)\)", text(page))]


def code(page: str) -> list[str]:
    """Return what stands as code in a page: spans and blocks, line by line."""
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text(page))
    return spans + re.findall(r"^(?: {4}|\t)(\S.*)$", text(page), re.MULTILINE)


def commands(page: str) -> list[tuple[str, list[str]]]:
    """Return each verb of `headway` in the code of a page, with the options beside it."""
    found = [re.match(r"(?:\S*/)?headway ([a-z]+)(.*)$", line.partition("#")[0]) for line in code(page)]
    return [(match[1], re.findall(r"--[a-z-]+", match[2])) for match in found if match]


def options(verb: str) -> set[str]:
    below = getattr(COMMANDS[verb], "commands", {}).values()
    parameters = [parameter for command in (COMMANDS[verb], *below) for parameter in command.params]
    return {name for one in parameters for name in (*one.opts, *one.secondary_opts)} | {"--help"}


def anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_verb_is_described_once_and_no_other() -> None:
    described = re.findall(r"^\| `headway ([a-z]+)", text("docs/commands.md"), re.MULTILINE)
    assert sorted(described) == sorted(COMMANDS)


def test_every_argument_and_option_that_is_described_exists() -> None:
    rows = re.findall(r"^\| `headway ([a-z]+)(?: \[?([A-Z]+)\]?)?` \| (.*) \|$", text("docs/commands.md"), re.MULTILINE)
    for verb, argument, meaning in rows:
        assert set(re.findall(r"--[a-z-]+", meaning)) <= options(verb), verb
        assert argument.lower() in {"", *(parameter.name for parameter in COMMANDS[verb].params)}, verb


@pytest.mark.parametrize("page", PAGES)
def test_every_command_in_a_page_exists_with_its_options(page: str) -> None:
    for verb, used in commands(page):
        assert verb in COMMANDS
        assert set(used) <= options(verb), verb


@pytest.mark.parametrize("page", PAGES)
def test_every_option_of_headway_itself_in_a_page_exists(page: str) -> None:
    used = [match[1] for line in code(page) for match in [re.match(r"headway (--[a-z-]+)", line)] if match]
    assert set(used) <= ROOT_OPTIONS


def test_the_pages_say_how_a_shell_learns_to_complete() -> None:
    assert "headway --install-completion" in code("README.md")
    assert {"headway --install-completion", "headway --show-completion"} <= set(code("docs/commands.md"))


def test_the_pages_show_how_to_use_headway() -> None:
    assert {"run", "status", "rollback", "down", "init", "check", "plan"} <= {verb for verb, _ in commands("README.md")}


@pytest.mark.parametrize("page", PAGES)
def test_every_goal_of_make_in_a_page_exists(page: str) -> None:
    goals = re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE)
    used = [match[1] for line in code(page) for match in [re.match(r"make ([a-z-]+)", line)] if match]
    assert set(used) <= set(goals)


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_every_link_leads_somewhere(page: str, link: str) -> None:
    if re.match(r"https?://", link):
        return
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    assert target.exists()
    assert not anchor or anchor in anchors(str(target.resolve().relative_to(ROOT)))


def test_every_page_can_be_reached_from_the_readme() -> None:
    assert set(PAGES[1:]) <= {link for page, link in LINKS if page == "README.md"}


def test_every_room_and_every_port_has_its_line_in_the_picture_of_the_house() -> None:
    page = text("docs/architecture.md")
    rows = set(re.findall(r"`([a-z_.]+)/?`", "".join(re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE))))
    drawn = page.split("## The layers")[1].split("\n## ")[0]
    folders = {path.name for path in (ROOT / "delivery").iterdir() if (path / "__init__.py").is_file()}
    ports = {path.stem for path in (ROOT / "delivery/ports").glob("*.py")} - {"__init__"}
    assert len(folders) > 10
    assert len(ports) > 10
    assert folders | ports <= rows
    assert {folder for folder in folders if f"{folder}/" not in drawn} == set()
    inner = {path.name for path in (ROOT / "delivery/docker").iterdir() if (path / "__init__.py").is_file()}
    assert {folder for folder in inner if f"`{folder}/`" not in page} == set()


def test_no_line_of_the_picture_is_of_something_that_is_not_there() -> None:
    page = text("docs/architecture.md")
    rooms = re.findall(r"^\| `([a-z_]+)/` \|", page, re.MULTILINE)
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", page.split("## The ports")[1].split("\n## ")[0], re.MULTILINE)
    assert [room for room in rooms if not any((ROOT / parent / room).is_dir() for parent in (".", "delivery"))] == []
    named = [name for row in rows for name in re.findall(r"`([a-z_]+)`", row)]
    assert [name for name in named if not (ROOT / f"delivery/ports/{name}.py").is_file()] == []
    assert len(rooms) > 20
    assert len(named) > 10


def test_the_exit_codes_are_the_documented_ones() -> None:
    documented = re.findall(r"^\| (\d+) \|", text("docs/commands.md"), re.MULTILINE)
    ours = {0, HeadwayError.exit_code, *(error.exit_code for error in HeadwayError.__subclasses__())}
    assert sorted(map(int, documented)) == sorted(ours)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_taken_with_every_file_it_names(example: str) -> None:
    folder = ROOT / "examples" / example
    check_files(load_app(folder / "headway.yaml"), folder)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_editor_takes_an_example_and_marks_a_wrong_key(example: str) -> None:
    content = yaml.safe_load(text(f"examples/{example}/headway.yaml"))
    validator = Draft202012Validator(app_schema())
    assert list(validator.iter_errors(content)) == []
    content["environments"]["production"]["wach"] = {}
    assert [error.json_path for error in validator.iter_errors(content)] == ["$.environments.production"]


@pytest.mark.parametrize(
    "shift",
    [
        "AllAtOnce",
        "CodeDeployDefault.ECSLinear10PercentEvery1Minutes",
        {"canary": {"percent": 5, "hold_seconds": 1}},
        {"linear": {"percent": 5, "hold_seconds": 1}},
        {"steps": [{"percent": 100}]},
    ],
    ids=str,
)
def test_an_editor_takes_every_way_to_write_a_plan(shift: object) -> None:
    content = {"app": "a", "images": {"a": {}}, "environments": {"b": {"shift": shift, "target": {"port": 80}}}}
    assert list(Draft202012Validator(app_schema()).iter_errors(content)) == []
    assert App.model_validate(content).environments["b"].shift.steps[-1].percent == 100


def test_every_key_is_explained_in_the_schema() -> None:
    schema = app_schema()
    models = {"App": schema, **schema["$defs"]}
    silent = [
        f"{name}.{key}"
        for name, model in models.items()
        for key, described in model.get("properties", {}).items()
        if not described.get("description")
    ]
    assert silent == []
