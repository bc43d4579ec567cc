"""One look tells everything: what is wrong with the file, and with what the file names."""

from types import SimpleNamespace

import pytest

from delivery.docker.images import looking
from delivery.ports.builder import Looked
from delivery.ports.preflight import Finding
from tests.cli.conftest import FILE, Headway, Project

WRONG = """\
app: shop
images:
  web: {target: nope, bases: {'node:99': mirror/node}}
  worker: {context: jobs}
services:
  web: {port: 8000, replicas: 2}
  worker: {}
backing: {cache: {image: nosuch/redis:7}}
suites: {unit: {image: web, secrets: {TOKEN: ci-token}}}
environments:
  production: {target: nope, busy: sometimes, acceptance: [e2e], secrets: {KEY: shop-key}}
"""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An engine and a server: `nowhere` are images nobody has, `secrets` those that are set; none: no answer."""
    made = SimpleNamespace(nowhere=set(), secrets=set(), asked=[], offline=False)

    def look_for(named, *, host=None, stand_ins="when-missing"):
        made.asked += [one.image for one in named]
        if made.offline:
            return Looked(unknown=("images were not looked for: no Docker engine answers",))
        return Looked(tuple(f"{one.where}: {one.image} is nowhere" for one in named if one.image in made.nowhere))

    monkeypatch.setattr(looking, "look_for", look_for)
    monkeypatch.setattr("cli.check.orchestrator", lambda: SimpleNamespace(answers=lambda: made.secrets is not None))
    monkeypatch.setattr("tasks.secret_blocks.secret_names", lambda: sorted(made.secrets))
    return made


def test_every_kind_of_mistake_is_told_at_once(headway: Headway, project: Project, world: SimpleNamespace) -> None:
    project.write("headway.yaml", WRONG)
    world.nowhere, world.secrets = {"nosuch/redis:7"}, {"ci-token"}
    ended = headway("check", project.folder)
    assert (ended.code, ended.out) == (2, "")
    assert [line.strip().partition(": ")[0] for line in ended.err.splitlines()[1:-1]] == [
        "services.web.replicas",
        "environments.production.target",
        "environments.production.busy",
        "environments.production.acceptance",
        "images.worker.context",
        "images.worker.dockerfile",
        "images.web.target",
        "images.web.bases",
        "backing.cache.image",
        "environments.production.secrets.KEY",
    ]
    assert "target: found 'nope'; allowed: keys with values: kind, host, port, bind" in ended.err
    assert "acceptance: no such name (found e2e); allowed: unit" in ended.err
    assert "images.web.target: no stage nope; allowed: 0" in ended.err
    assert "node:99 is no image that Dockerfile starts from; allowed: python:3.11-alpine" in ended.err
    assert "headway secret set shop-key" in ended.err.splitlines()[-1]


def test_a_base_is_looked_for_under_the_name_it_is_mapped_to(
    headway: Headway, project: Project, world: SimpleNamespace
) -> None:
    bases = "images: {web: {bases: {'python:3.11-alpine': mirror/python}}}"
    project.write("headway.yaml", FILE.replace("images: {web: {}}", bases))
    world.nowhere = {"mirror/python"}
    ended = headway("check", project.folder)
    assert ended.code == 2
    assert "images.web (a base in Dockerfile): mirror/python is nowhere" in ended.err
    assert set(world.asked) == {"mirror/python"}


def test_what_could_not_be_looked_for_is_said_and_is_no_mistake(
    headway: Headway, project: Project, world: SimpleNamespace
) -> None:
    project.write("headway.yaml", FILE.replace("staging: {", "staging: {secrets: {KEY: shop-key}, "))
    world.offline, world.secrets = True, None
    ended = headway("check", project.folder)
    assert ended.code == 0
    assert "images were not looked for: no Docker engine answers" in ended.err
    assert "secrets were not looked for: the platform is not up (headway up)" in ended.err


def test_an_image_that_nothing_runs_is_warned_about(headway: Headway, project: Project, world: SimpleNamespace) -> None:
    project.write("headway.yaml", FILE.replace("images: {web: {}}", "images: {web: {}, old: {}}"))
    ended = headway("check", project.folder)
    assert ended.code == 0
    assert "images.old: nothing in the file runs it" in ended.err


@pytest.mark.parametrize(
    ("migrate", "says"),
    [
        ("{image: web}", "every release with another image web is rehearsed"),
        ("{image: 'tools:1'}", "nothing is rehearsed while it is tools:1"),
        ("{image: web, files: .}", ""),
        ("{image: web, rehearsal: {enabled: false}}", ""),
    ],
)
def test_migrations_that_are_known_by_their_image_alone_are_advised_to_be_named(
    headway: Headway, project: Project, world: SimpleNamespace, migrate: str, says: str
) -> None:
    project.write("headway.yaml", f"{FILE}\ndatabase: {{migrate: {migrate}}}\n")
    ended = headway("check", project.folder)
    assert ended.code == 0
    assert ("database.migrate.files is left out" in ended.err) is bool(says)
    assert says in ended.err


def test_a_base_without_a_value_is_told_at_its_line(headway: Headway, project: Project, world: SimpleNamespace) -> None:
    project.write("Dockerfile", "ARG BASE\nFROM ${BASE}\n")
    ended = headway("check", project.folder)
    assert ended.code == 2
    assert "images.web.dockerfile: Dockerfile line 2: FROM ${BASE}: the build argument has no value" in ended.err


def test_a_database_that_could_not_be_had_is_told_before_a_run(
    headway: Headway, project: Project, world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import UTC, datetime

    from delivery.ports.scanner import VulnerabilityDatabase

    known = VulnerabilityDatabase(checked_at=datetime.now(UTC), problem="registry.example: no such host")
    monkeypatch.setattr("delivery.docker.images.scanner.last_known", lambda policy, home: known)
    for verb in ("check", "plan"):
        ended = headway(verb, project.folder)
        assert ended.code == 0
        assert "scan.when_inconclusive: block: there is no vulnerability database" in ended.err
        assert "registry.example: no such host" in ended.err
    project.write("headway.yaml", FILE + "scan: {when_inconclusive: allow}\n")
    assert "when_inconclusive" not in headway("check", project.folder).err


@pytest.mark.parametrize(("is_well", "code"), [(True, 0), (False, 2)])
@pytest.mark.usefixtures("world")
def test_what_an_environment_needs_is_told_line_by_line(
    is_well: bool, code: int, headway: Headway, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = "" if is_well else "mend it"
    well = Finding(what="image registry", is_well=True, found="registry:5000")
    other = Finding(what="repository of web", is_well=is_well, found="[its] tags", next_step=step)
    monkeypatch.setattr("flows.preflight.preflight", lambda app, environment: [well, other])
    monkeypatch.setattr("cli.check.running", lambda: None)
    project.write("headway.yaml", FILE)

    ended = headway("check", project.folder, "--environment", "production")
    unknown = headway("check", project.folder, "--environment", "nowhere")

    lines = ["[ok] image registry: registry:5000", f"[{'ok' if is_well else 'fail'}] repository of web: [its] tags"]
    assert ended.code == code
    assert ended.out.splitlines() == lines + ([] if is_well else ["       next: mend it"])
    assert unknown.code == 2
    assert "environments.nowhere: there is none; allowed: staging, production" in unknown.err
