"""A pull request is built, scanned and tested; nothing of it is published, and a fork's has no reach."""

from uuid import uuid4

import pytest
from pydantic import SecretStr

from blocks.artifact_store import current_store
from blocks.secret_block import remove_secret, save_secret
from flows.arrivals import take_push
from flows.examine import examine
from tests.flows.platform import APP
from tests.flows.test_announcements import github  # noqa: F401
from tests.flows.test_arrivals import arrival, new, shop, started  # noqa: F401
from tests.support.github import REPOSITORY, fake_github

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]
CANARY = "canary-9f2e"


@pytest.fixture
def secret(platform):
    """A secret that a suite may name."""
    name = f"stripe-{uuid4().hex[:8]}"
    save_secret(name, SecretStr(CANARY))
    yield name
    remove_secret(name)


def examined(platform, **more):
    platform.git("update-ref", "refs/pull/7/head", "HEAD")
    given = {"project": f"file://{platform.project}", "revision": platform.git("rev-parse", "HEAD"), "pull_request": 7}
    return platform.run(examine, given | {"fork": True} | more)


def test_a_pull_request_is_built_scanned_and_tested_and_goes_nowhere(platform):
    run = examined(platform)

    short = platform.git("rev-parse", "--short=7", "HEAD")
    assert run.ended == ("Completed", f"{short}: 1 image built, 1 scanned, 2 tests passed in 1 cell")
    assert (platform.containers.published, platform.live()) == ([], None)
    assert {key.split("/")[0] for key in current_store().keys("")} == {"runs"}
    assert not list(platform.home.work.glob("*/source"))


@pytest.mark.long
def test_a_suite_that_fails_fails_the_pull_request(platform):
    platform.containers.outcomes["unit"] = "failed"

    name, message = examined(platform).ended

    assert name == "Rejected"
    assert "unit" in message


def test_a_forks_suite_gets_no_secret_and_one_of_this_repository_does(platform, secret):
    suites = {**APP["suites"], "pay": {"image": "web", "secrets": {"KEY": secret}}}
    platform.describe(suites=suites)

    fork = examined(platform)
    with_it = dict(platform.containers.secrets)
    own = examined(platform, fork=False)

    assert (fork.ended[0], own.ended[0]) == ("Completed", "Completed")
    assert CANARY not in str(with_it)
    assert platform.containers.secrets["pay"] == {"KEY": CANARY}
    assert fork.ended[1].endswith("in 1 cell")
    assert own.ended[1].endswith("in 2 cells")


def test_a_fork_loads_no_secret_at_all(platform, secret, monkeypatch):
    loaded = []
    monkeypatch.setattr("tasks.secret_values.load_secret", lambda name: loaded.append(name))
    monkeypatch.setattr("tasks.environment.load_settings", lambda *_, **__: loaded.append("settings"))
    build = {"web": {"build_secrets": {"npm": secret}}}
    platform.describe(
        images=build, environments={"production": {**APP["environments"]["production"], "secrets": {"A": secret}}}
    )

    run = examined(platform)

    assert run.state.is_completed(), run.ended
    assert loaded == []


@pytest.mark.parametrize(
    "dockerfile",
    [
        pytest.param("FROM registry:5000/other/web:latest\n", marks=pytest.mark.long),
        "FROM scratch\nCOPY --from=registry:5000/other/web / /\n",
        pytest.param(
            "FROM scratch AS unused\nCOPY --from=localhost:5000/other/web / /\nFROM scratch\n", marks=pytest.mark.long
        ),
        pytest.param(
            "FROM scratch\nRUN --mount=type=bind,from=registry:5000/other/web,target=/x ls\n", marks=pytest.mark.long
        ),
        pytest.param("ARG B=registry:5000/other/web\nFROM $B\n", marks=pytest.mark.long),
        "FROM scratch\nONBUILD COPY --from=sha256:" + "a" * 64 + " / /\n",
        "# syntax=evil/frontend\nFROM scratch\n",
        pytest.param("FROM scratch\nARG X\nCOPY --from=$X / /\n", marks=pytest.mark.long),
    ],
)
def test_a_fork_that_starts_from_images_of_others_is_not_even_built(platform, dockerfile):
    (platform.project / "Dockerfile").write_text(dockerfile)
    platform.commit("Look at others")

    name, message = examined(platform).ended

    assert name == "Rejected"
    assert "fork" in message
    assert not platform.containers.built


@pytest.mark.long
def test_a_fork_that_is_tested_beside_images_of_others_is_not_built(platform):
    platform.describe(suites={"unit": {"image": "registry:5000/other/web"}})

    name, message = examined(platform).ended

    assert (name, "registry:5000/other/web" in message) == ("Rejected", True)
    assert not platform.containers.built


def test_a_file_that_is_a_link_leads_nowhere(platform):
    secret = platform.root / "key"
    secret.write_text(CANARY)
    (platform.project / "headway.yaml").unlink()
    (platform.project / "headway.yaml").symlink_to(secret)
    platform.commit("Lead elsewhere")

    name, message = examined(platform).ended

    assert name == "Rejected"
    assert CANARY not in message


def test_whether_a_fork_is_examined_says_the_branch_and_not_the_fork(shop):  # noqa: F811
    before = {run.id for run in started("examine")}
    shop.describe(repository={"branches": {"main": "production"}, "pull_requests": "own"})
    shop.git("checkout", "-q", "-b", "theirs")
    shop.describe(repository={"branches": {"main": "production"}, "pull_requests": "all"})
    sha = shop.commit("Allow myself")
    shop.git("update-ref", "refs/pull/7/head", "HEAD")
    shop.git("checkout", "-q", "main")

    run = shop.run(
        take_push,
        {"arrival": arrival(shop, sha, kind="pull-request", pull_request=7, fork=True).model_dump(mode="json")},
    )

    assert run.ended == ("Skipped", "repository.pull_requests is own, and this one is of a fork")
    assert new(before, "examine") == []


def test_a_pull_request_of_this_repository_is_examined_once(shop):  # noqa: F811
    before = {run.id for run in started("examine")}
    shop.git("update-ref", "refs/pull/7/head", "HEAD")
    arrived = arrival(shop, shop.git("rev-parse", "HEAD"), kind="pull-request", pull_request=7)

    ended = [shop.run(take_push, {"arrival": arrived.model_dump(mode="json")}).ended[0] for _ in range(2)]

    (one,) = new(before, "examine")
    assert ended == ["Completed", "Completed"]
    assert one.parameters["fork"] is False
    assert shop.containers.built == []


def test_who_is_told_of_a_pull_request_says_the_branch_and_not_its_commit(platform, github, secret):  # noqa: F811
    """Else a commit could have any secret of the platform sent to an address of its own."""
    ours = {"repository": REPOSITORY, "token": "github-token", "api_url": github.url}
    platform.describe(github=ours)
    base = platform.git("rev-parse", "HEAD")
    with fake_github() as theirs:
        platform.describe(github={**ours, "token": secret, "api_url": theirs.url})

        run, alone = examined(platform, base=base), examined(platform)

        assert (run.ended[0], alone.ended[0]) == ("Completed", "Completed")
        assert theirs.asked == []
    assert github.told("proof")[0] == ("pending", "not begun")
    assert github.told("proof")[-1] == ("success", "built, scanned and tested")
    assert {one["sha"] for one in github.statuses} == {platform.git("rev-parse", "HEAD")}
