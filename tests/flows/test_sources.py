"""A run names its sources by repository and revision: their files are laid out wherever it goes on."""

import shutil

import pytest

from flows import runs
from flows.deliver import deliver

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


@pytest.fixture
def begun(platform):
    """A delivery of which nothing but the order was done before its process died."""
    platform.containers.fail("find images", ConnectionError("the machine is gone"))
    run = platform.deliver()
    assert run.state.is_failed(), run.ended
    return run.id


def move(platform, monkeypatch):
    """Let what comes happen on another machine, which has nothing of the first one."""
    first, second = platform.home, platform.root / "another home"
    shutil.rmtree(first.work)
    monkeypatch.setenv("HEADWAY_HOME", str(second))
    return first, platform.home


@pytest.mark.long
def test_files_that_are_removed_between_two_steps_are_laid_out_again(platform):
    work = platform.home.work
    seen = []

    def remove():
        (source,) = work.glob("*/source")
        seen.append(sorted(path.name for path in source.iterdir()))
        shutil.rmtree(source)

    moments = ("find images", "test unit", "publish")
    for moment in moments:
        platform.containers.during[moment] = remove

    run = platform.deliver()

    assert run.state.is_completed(), run.ended
    assert seen[0] == ["Dockerfile", "change.txt", "headway.yaml"]
    assert seen == [seen[0]] * sum(platform.containers.calls[moment] for moment in moments)


def test_a_run_goes_on_on_another_machine_that_has_the_repository(platform, begun, monkeypatch):
    first, second = move(platform, monkeypatch)

    run = platform.carry_again(deliver, begun)

    assert run.state.is_completed(), run.ended
    assert platform.live() is not None
    assert not list(first.root.glob("work/*/source"))
    assert second.work.is_dir()


def test_a_run_whose_repository_is_not_on_this_machine_says_what_to_do(platform, begun, monkeypatch):
    move(platform, monkeypatch)
    elsewhere = platform.project.rename(platform.root / "moved")

    name, message = platform.carry_again(deliver, begun).ended

    assert name == "Misconfigured"
    assert f"repository {platform.project}: is not on " in message
    assert f"next: git clone it to {platform.project} there; or deliver it by its address" in message
    assert elsewhere.exists()
    assert platform.live() is None


def test_what_is_delivered_by_address_needs_no_folder_of_any_machine(platform, monkeypatch):
    address = f"file://{platform.project}"
    platform.containers.fail("find images", ConnectionError("the machine is gone"))
    begun = platform.deliver(project=address)
    revision = platform.git("rev-parse", "HEAD")
    platform.commit("Later")
    move(platform, monkeypatch)

    run = platform.carry_again(deliver, begun.id)

    assert run.state.is_completed(), run.ended
    assert platform.live().revision.sha == revision


@pytest.mark.long
def test_an_application_in_a_folder_of_an_address_is_delivered(platform):
    (platform.project / "shop").mkdir()
    for name in ("Dockerfile", "headway.yaml"):
        (platform.project / name).rename(platform.project / "shop" / name)
    revision = platform.commit("Move the shop")

    run = platform.deliver(project=f"file://{platform.project}#shop", revision="main")

    assert run.state.is_completed(), run.ended
    assert platform.live().revision.sha == revision
    assert runs.look(run.id, steps=False).name == f"shop {revision[:7]} → production"
