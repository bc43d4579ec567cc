"""docs/headway-yaml.md explains every key with its default, and its examples are taken."""

import re
from typing import Any

import pytest
import yaml

from delivery.model import Model
from delivery.spec import (
    backups,
    checks,
    database,
    docker_target,
    ecs_services,
    ecs_target,
    entry,
    environments,
    github,
    health,
    hooks,
    images,
    infrastructure,
    refresh,
    rehearsal,
    repository,
    scan,
    second_region,
    services,
    shift,
    suites,
)
from delivery.spec.app import App
from delivery.spec.variables import DATABASE_FACTS
from tests.architecture.sources import text

PAGE = text("docs/headway-yaml.md")
SECTIONS: dict[str, type[Model]] = {
    "The file": App,
    "images.NAME": images.Image,
    "services.NAME": services.Service,
    "services.health": health.Health,
    "backing.NAME": services.Backing,
    "database": database.ContainerDatabase,
    "database.migrate": database.Migration,
    "database.migrate.rehearsal": rehearsal.RehearsalPolicy,
    "database.migrate.rehearsal.lint": rehearsal.LintPolicy,
    "database.migrate.rehearsal.lint.waive": rehearsal.LintWaiver,
    "suites.NAME": suites.Suite,
    "hooks": hooks.Hooks,
    "hooks.before_release": hooks.BeforeHook,
    "hooks.after_release": hooks.Hook,
    "scan": scan.ScanPolicy,
    "scan.waivers": scan.Waiver,
    "repository": repository.Repository,
    "github": github.GitHub,
    "environments.NAME": environments.Environment,
    "environments.NAME.target": docker_target.DockerTarget,
    "environments.NAME.target.ecs": ecs_target.EcsTarget,
    "environments.NAME.target.ecs.services": ecs_services.EcsService,
    "environments.NAME.target.ecs.codedeploy": ecs_services.CodeDeploySettings,
    "environments.NAME.target.ecs.second_region": second_region.SecondRegion,
    "environments.NAME.target.ecs.second_region.tasks": second_region.SecondRegionTasks,
    "environments.NAME.target.tls": entry.Certificate,
    "environments.NAME.infrastructure": infrastructure.Infrastructure,
    "environments.NAME.backups": backups.BackupPolicy,
    "environments.NAME.backups.drill": backups.DrillPolicy,
    "environments.NAME.refresh": refresh.Refresh,
    "environments.NAME.approval": environments.Approval,
    "environments.NAME.shift": shift.Step,
    "environments.NAME.watch": environments.Watch,
    "environments.NAME.checks": checks.Check,
    "environments.NAME.checks.command": checks.CommandCheck,
    "environments.NAME.checks.http": checks.HttpCheck,
}
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
OPERATING = re.findall(r"^    environments:\n(?:      .*\n)+", text("docs/operating.md"), re.MULTILINE)
# What the fragments in the page lean on.
BASE: dict[str, Any] = {
    "app": "shop",
    "images": {"backend": {}, "frontend": {}},
    "services": {"backend": {"port": 3000}},
    "backing": {"cache": {"image": "redis:7"}},
    "database": {},
    "suites": {"e2e": {"image": "backend"}},
    "environments": {"production": {}},
}


def default(model: type[Model], key: str) -> str:
    """Return the default of a key as the page writes it."""
    field = model.model_fields[key]
    match field.default:
        case _ if field.is_required():
            return "required"
        case None | () | {}:
            return "–"
        case bool() as value:
            return f"`{str(value).lower()}`"
        case tuple() as values:
            return f"`[{', '.join(values)}]`"
        case Model():
            return "see below"
        case value:
            return f"`{value}`"


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_the_page_has_a_section_for_every_part_of_the_file() -> None:
    headings = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert headings == list(SECTIONS)


def test_no_part_of_the_file_is_left_out() -> None:
    described = {model.__name__ for model in SECTIONS.values()}
    plans = {"MemoryTarget", "ShiftPlan"}  # told in words
    assert described | plans == {"App", *App.model_json_schema()["$defs"]}


@pytest.mark.parametrize("heading", SECTIONS)
def test_a_section_explains_exactly_the_keys_there_are_with_their_defaults(heading: str) -> None:
    model = SECTIONS[heading]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| \S", section(heading), re.MULTILINE)
    assert rows == [(field.alias or key, default(model, key)) for key, field in model.model_fields.items()]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: next(iter(example)))
def test_an_example_of_the_page_is_taken(example: dict[str, Any]) -> None:
    App.model_validate(example if "app" in example else BASE | example)


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("fragment", OPERATING)
def test_an_example_of_the_page_on_operating_is_taken(fragment: str) -> None:
    App.model_validate(BASE | yaml.safe_load(fragment))


def test_every_preset_and_every_way_of_a_plan_is_named() -> None:
    told = section("environments.NAME.shift")
    assert all(f"`{name}`" in told for name in (*shift.PRESETS, "canary", "linear", "steps"))


def test_every_placeholder_is_named() -> None:
    assert all(f"`${{{fact}}}`" in PAGE for fact in DATABASE_FACTS)
