"""`headway hooks`: who may tell what, and what a user is told about it."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from delivery.home import Home
from delivery.hooks.connections import Connections
from tests.cli.conftest import FILE, Headway, Project
from tests.support.senders import TOPIC

ADDRESS = "git@git.example:acme/shop.git"
REPOSITORY = FILE + f"repository: {{url: {ADDRESS!r}, branches: {{main: production}}, deploy_key: shop-key}}\n"


@pytest.fixture
def platform(headway: Headway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """A platform that is up, as the command line sees it; `restarted` counts the starts of the receiver."""
    home = Home(tmp_path / "home")
    known = SimpleNamespace(home=home, restarted=0, access=[])

    def restart(_: object) -> None:
        known.restarted += 1

    monkeypatch.setattr("cli.hooks.running", lambda: known)
    monkeypatch.setattr("cli.hooks.orchestrator", lambda: known)
    monkeypatch.setattr("cli.hooks.restart_receiver", restart)
    monkeypatch.setattr("cli.hooks._give_access", lambda *given: known.access.append(given))
    return known


@pytest.fixture
def described(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    project.write("headway.yaml", REPOSITORY)
    project.commit("Say where it is")
    monkeypatch.chdir(project.folder)
    return project


def test_who_connects_is_told_where_to_send_and_never_the_secret(
    headway: Headway, platform: SimpleNamespace, described: Project
) -> None:
    ended = headway("hooks", "connect", "github")
    (made,) = Connections(platform.home)
    secret = headway("hooks", "secret", "shop").out.strip()
    assert ended.code == 0, ended.err
    assert "http://127.0.0.1:4280/github/shop" in ended.out
    assert (made.project, made.repository, made.app) == (ADDRESS, "acme/shop", "shop")
    assert len(secret) >= 32
    assert secret not in ended.out
    assert [address for address, _ in platform.access] == [ADDRESS]
    assert platform.restarted == 1


def test_an_application_in_a_folder_is_connected_with_its_folder(
    headway: Headway, platform: SimpleNamespace, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.folder / "apps" / "shop").mkdir(parents=True)
    project.write("apps/shop/headway.yaml", REPOSITORY)
    project.commit("Move")
    monkeypatch.chdir(project.folder / "apps" / "shop")
    headway("hooks", "connect", "github", "--name", "moved")
    assert [(one.name, one.project) for one in Connections(platform.home)] == [("moved", f"{ADDRESS}#apps/shop")]


def test_without_an_address_nothing_can_be_fetched_and_that_is_said(
    headway: Headway, platform: SimpleNamespace, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    ended = headway("hooks", "connect", "github")
    assert ended.code == 2
    assert "headway.yaml: repository.url: is missing" in ended.err
    assert list(Connections(platform.home)) == []


def test_of_sns_only_topics_that_are_named_are_believed(
    headway: Headway, platform: SimpleNamespace, described: Project
) -> None:
    without = headway("hooks", "connect", "aws")
    wrong = headway("hooks", "connect", "aws", "--topic", "alarms")
    right = headway("hooks", "connect", "aws", "--topic", TOPIC, "--environment", "production", "--alarm", "shop-*")
    (made,) = Connections(platform.home)
    assert (without.code, wrong.code, right.code) == (2, 2, 0)
    assert (made.name, made.topics, made.environment, made.alarms) == ("shop-aws", (TOPIC,), "production", ("shop-*",))
    assert "the ARN of the topic: anybody may have one" in without.err


def test_an_environment_that_is_none_is_told(headway: Headway, platform: SimpleNamespace, described: Project) -> None:
    ended = headway("hooks", "connect", "aws", "--topic", TOPIC, "--environment", "nowhere")
    assert ended.code == 2
    assert "allowed: staging, production" in ended.err


def test_the_alarms_of_an_address_are_those_of_the_application_in_its_file(
    headway: Headway, platform: SimpleNamespace, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own name is another one than its repository's, and releases are known by it."""
    monkeypatch.setattr("tasks.repositories.load_access", lambda _: None)
    address = f"file://{project.folder.rename(project.folder.with_name('shop-service'))}"
    alarms = ("hooks", "connect", "aws", "--project", address, "--topic", TOPIC)
    ended, wrong = headway(*alarms, "--environment", "production"), headway(*alarms, "--environment", "nowhere")
    (made,) = Connections(platform.home)
    assert (ended.code, made.name, made.app, made.environment) == (0, "shop-aws", "shop", "production")
    assert wrong.code == 2
    assert "--environment: nowhere; allowed: staging, production" in wrong.err


def test_an_address_without_a_file_has_no_alarms(
    headway: Headway, platform: SimpleNamespace, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.repositories.load_access", lambda _: None)
    address = f"file://{project.folder}#apps/shop"
    ended = headway("hooks", "connect", "aws", "--project", address, "--topic", TOPIC, "--environment", "production")
    assert ended.code == 2
    assert "has no apps/shop/headway.yaml" in ended.err
    assert list(Connections(platform.home)) == []


def test_a_name_is_not_taken_from_a_connection_of_another_kind(
    headway: Headway, platform: SimpleNamespace, described: Project
) -> None:
    headway("hooks", "connect", "github")
    ended = headway("hooks", "connect", "registry", "--name", "shop")
    assert ended.code == 2
    assert "connection shop: is there, for github" in ended.err


def test_to_connect_again_keeps_the_secret(headway: Headway, platform: SimpleNamespace, described: Project) -> None:
    headway("hooks", "connect", "github")
    before = headway("hooks", "secret", "shop").out
    headway("hooks", "connect", "github")
    same = headway("hooks", "secret", "shop").out
    other = headway("hooks", "secret", "shop", "--new").out
    assert same == before
    assert other != before


def test_a_secret_of_ones_own_comes_from_standard_input(
    headway: Headway, platform: SimpleNamespace, described: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    headway("hooks", "connect", "github")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False, read=lambda: "short\n"))
    short = headway("hooks", "secret", "shop", "--set")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False, read=lambda: "long enough to be one\n"))
    long = headway("hooks", "secret", "shop", "--set")
    assert (short.code, long.code) == (2, 0)
    assert headway("hooks", "secret", "shop").out == "long enough to be one\n"


def test_the_list_is_data_too(headway: Headway, platform: SimpleNamespace, described: Project) -> None:
    headway("hooks", "connect", "github")
    headway("hooks", "listen", "--port", "4999")
    found = json.loads(headway("hooks", "list", "--json").out)
    shown = headway("hooks", "list").out
    assert found["listening"] == {"host": "127.0.0.1", "port": 4999}
    assert found["arrivals"] == {"waiting": 0, "told": 0, "taken": 0, "refused": 0}
    assert [(one["name"], one["url"]) for one in found["connections"]] == [
        ("shop", "http://127.0.0.1:4999/github/shop")
    ]
    assert "does not run on 127.0.0.1:4999" in shown


def test_who_listens_to_others_is_told_that_it_can_be_read_on_the_way(
    headway: Headway, platform: SimpleNamespace
) -> None:
    assert headway("hooks", "listen", "--port", "4999").err == ""
    assert "put a proxy with HTTPS before it" in headway("hooks", "listen", "--host", "0.0.0.0").err


def test_who_is_disconnected_is_forgotten_with_the_secret(
    headway: Headway, platform: SimpleNamespace, described: Project
) -> None:
    headway("hooks", "connect", "github")
    headway("hooks", "disconnect", "shop")
    again = headway("hooks", "disconnect", "shop")
    assert list(Connections(platform.home)) == []
    assert Connections(platform.home).secret("shop") is None
    assert (again.code, again.err) == (0, "there is no connection shop\n")
