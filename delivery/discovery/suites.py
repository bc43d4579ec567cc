"""The test matrix: each folder's tests in the stage that has the tool and the tests, or a word on what is missing."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from delivery.discovery.composition import Composition
from delivery.discovery.contents import workdir_of
from delivery.discovery.dockerfiles import Stage
from delivery.discovery.draft import Draft, free_name, yaml_line
from delivery.discovery.folders import below, is_file, mentions, walk
from delivery.discovery.images import ImageDraft
from delivery.discovery.packages import MANIFESTS
from delivery.discovery.roles import image_name
from delivery.discovery.running import folder_in, in_folder, python_words, takes_commands, tests_by_itself
from delivery.discovery.services import MODES, Part
from delivery.discovery.suite_folders import add_compose_suites, add_test_folders
from delivery.discovery.suite_tools import FoundTests, tests_of

_DATABASE_WORDS = (
    r"DATABASE_URL|PGHOST|POSTGRES|psycopg|asyncpg|sqlalchemy|create_engine|django_db|django\.test"
    r"|prisma|knex|sequelize|typeorm|pgx|lib/pq"
)
_CLIENT_WORDS = r"TestClient|AsyncClient|test_client\(|APIClient|supertest|\.inject\(|httptest"
_OWN_DATABASE = r"sqlite|mongomock|testcontainers|pg-mem|pytest_postgresql|pytest-postgresql|:memory:"


def add_suites(parts: list[Part], found: Composition | None, root: Path, draft: Draft) -> None:
    """Add a suite for each folder with tests that some stage can run."""
    images = list({id(part.image): part.image for part in parts}.values())
    projects = {image.project for image in images}
    missing: list[FoundTests] = []
    for image in images:
        for project in _projects(image, projects):
            for tests in tests_of(project):
                if not _add(tests, image, parts, root, draft):
                    missing.append(tests)
    add_test_folders(parts, root, draft)
    add_compose_suites(found, root, draft)
    _say_browsers(root, draft)


def _projects(image: ImageDraft, others: set[Path]) -> Iterator[Path]:
    """Yield the folders that an image is made of: its own, and those below it that no other image is about."""
    yield image.project
    if image.project != image.build.context or any(is_file(image.project / name) for name in MANIFESTS):
        return
    folders = dict.fromkeys(path.parent for path in walk(image.build.context, 2) if path.name in MANIFESTS)
    yield from (folder for folder in folders if folder not in others and image.build.context != folder)


def _add(tests: FoundTests, image: ImageDraft, parts: list[Part], root: Path, draft: Draft) -> bool:
    """Add the suite to the draft; False, with a word, when no stage can run it."""
    stage = _stage(tests, image)
    where, name = below(image.path, root), _suite_name(image, draft)
    if stage is None:
        _say_missing(tests, image, name, root, draft)
        return False
    suite: dict[str, Any] = {"tool": tests.known_tool}
    if stage == image.stage and not stage.is_for_tests:
        suite["image"] = image.name
        draft.guess(f"{tests.why}: {tests.shown} runs in the image {image.name} itself")
    else:
        suite["build"] = image.content(stage.target)
        draft.guess(f"{tests.why}: {tests.shown} runs in the stage `{stage.target}` of {where}")
    by_itself, own = tests_by_itself(image.build, stage) if stage.is_for_tests else (False, [])
    if by_itself:
        suite["tool"] = "command"
    else:
        suite["command"] = own or _command(tests, image, stage)
    if tests.junit and (folder := _folder(tests, image, stage)):
        suite["junit"] = f"{folder.rstrip('/')}/{tests.junit}"
    _add_surroundings(suite, tests, image, parts, draft)
    draft.content.setdefault("suites", {})[name] = suite
    return True


def _stage(tests: FoundTests, image: ImageDraft) -> Stage | None:
    """Return the stage that has tool and tests: one for tests, what is released, else the last one."""
    build, sample = image.build, below(tests.sample, image.build.context)
    able = [
        stage
        for stage in image.file.stages
        if sample
        and build.holds(stage, sample)
        and tests.holds(build, stage)
        and (takes_commands(build, stage) or (stage.is_for_tests and tests_by_itself(build, stage)[0]))
    ]
    for_tests = [stage for stage in able if stage.is_for_tests]
    released = [stage for stage in able if stage == image.stage]
    return next((stages[-1] for stages in (for_tests, released, able) if stages), None)


def _command(tests: FoundTests, image: ImageDraft, stage: Stage) -> list[str]:
    words = python_words(image.build, stage, tests.command) if tests.python else tests.command
    return in_folder(words, _folder(tests, image, stage), image.build, stage)


def _folder(tests: FoundTests, image: ImageDraft, stage: Stage) -> str:
    """Return where the project lies in the stage."""
    manifests = [tests.project / name for name in MANIFESTS if is_file(tests.project / name)]
    found = folder_in(image.build, stage, tests.project, tests.sample, *manifests)
    return found or workdir_of(image.file.instructions(stage))


def _add_surroundings(
    suite: dict[str, Any], tests: FoundTests, image: ImageDraft, parts: list[Part], draft: Draft
) -> None:
    """Give the suite a database and what is kept beside the application where its tests speak of them."""
    beside = [
        name
        for name, backing in draft.content.get("backing", {}).items()
        if mentions(tests.project, rf"(?i)\b{re.escape(image_name(backing['image']))}\b", tests.files)
    ]
    if "database" in draft.content and _wants_database(tests):
        suite["database"] = True
        draft.guess(
            "the tests get a database of their own, migrated, because they speak of it or of the whole application"
        )
    if beside:
        suite["services"] = beside
    part = next((part for part in parts if part.image is image), None)
    if part and (beside or "database" in suite):
        _add_variables(suite, part, beside, draft)


def _add_variables(suite: dict[str, Any], part: Part, beside: list[str], draft: Draft) -> None:
    """Give tests of the whole application its settings, but not the addresses of what is not started for them."""
    others = [name for name in draft.content.get("backing", {}) if name not in beside]
    away = re.compile("|".join(rf"(?:^|[/@,]){re.escape(name)}(?=[:/,]|$)" for name in others) or r"(?!)")
    variables = part.variables.env | part.content.get("env", {})
    given = {
        key: text
        for key, text in variables.items()
        if not away.search(text)
        and not MODES.match(key)
        and key != "PORT"
        and (key, text) != ("DATABASE_URL", "${database.url}")
        and ("database" in suite or "${database." not in text)
    }
    if given:
        suite["env"] = given
    if part.variables.secrets:
        secrets = ", ".join(part.variables.secrets)
        draft.decide(f"the tests of {part.name} are not told {secrets}: write values for tests under the suite's env")


def _wants_database(tests: FoundTests) -> bool:
    if mentions(tests.project, _OWN_DATABASE, [name for name in tests.files if name not in ("*.js", "*.ts")]):
        return False
    named = [name for name in tests.files if name not in ("*.js", "*.ts")]
    return mentions(tests.project, f"{_DATABASE_WORDS}|{_CLIENT_WORDS}", named) is not None


def _say_missing(tests: FoundTests, image: ImageDraft, name: str, root: Path, draft: Draft) -> None:
    """Say what a suite lacks, with the lines that give it."""
    build, where = image.build, below(image.path, root)
    sample = below(tests.sample, build.context)
    stages = image.file.stages
    base = next((stage.base for stage in stages if build.file.before(stage.base, stage) is None), "…")
    suite = {
        "tool": tests.known_tool,
        "build": image.content("test"),
        "command": tests.command,
    }
    held = any(tests.holds(build, stage) for stage in stages)
    copied = sample is not None and any(build.holds(stage, sample) for stage in stages)
    if held and copied:
        lacks = "no stage of it has both the tool and the tests, and runs what it is given"
    elif held:
        lacks = f"no stage of it holds {below(tests.sample, root)} (is it copied, and not in .dockerignore?)"
    else:
        lacks = f"no stage of it installs {tests.tool if tests.tool != 'command' else 'what the tests need'}"
    workdir = workdir_of(image.instructions)
    lines = [f"FROM {base} AS test", f"WORKDIR {workdir if workdir != '/' else '/app'}", *tests.lines]
    written = yaml_line({"suites": {name: suite}}).removeprefix("{").removesuffix("}")
    draft.decide(
        "\n".join(
            [
                f"{tests.why}, but {where} cannot run it: {lacks}. Put a stage before its last FROM, and add a suite",
                *lines,
                written,
            ]
        )
    )


def _suite_name(image: ImageDraft, draft: Draft) -> str:
    suites = draft.content.get("suites", {})
    return "unit" if "unit" not in suites else free_name(f"unit-{image.name}", suites)


def _say_browsers(root: Path, draft: Draft) -> None:
    """Say that tests in a browser need an image, where a configuration is there and no suite runs it."""
    if any(suite["tool"] in ("playwright", "cypress") for suite in draft.content.get("suites", {}).values()):
        return
    for path in walk(root, 3, beside=True):
        match = re.match(r"(playwright|cypress)\.config\.\w+$", path.name)
        if match:
            draft.decide(
                f"{below(path, root)}: {match[1]} needs an image with a browser; write a Dockerfile, and a suite with "
                f"`tool: {match[1]}`, its `build`, and `services` with what it visits"
            )
            return
