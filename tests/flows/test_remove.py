"""An application leaves the platform: what it has goes, what is known of it stays, others are not touched."""

import json

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Cancelled, Paused, Running
from pydantic import SecretStr

from blocks.environment import DeliveryEnvironment, has_settings
from delivery.errors import Rejected
from delivery.memory.target import MemoryHost
from flows.deliver import deliver
from flows.overview import app_names, environments
from flows.recover import recover
from flows.remove import check_nobody_uses, find_remains, remove
from flows.rollback import rollback
from tasks.recover import unended_runs
from tests.flows.platform import APP, MEMORY
from tests.support.heartbeats import died

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


@pytest.fixture
def shop(platform):
    """A shop that is live in staging and production, beside another application."""
    with get_client(sync_client=True) as client:  # the server is that of all tests
        for run in unended_runs(client):
            client.set_flow_run_state(run.id, Cancelled(), force=True)
    platform.describe(
        environments={"staging": {"target": MEMORY}, "production": {"target": MEMORY, "after": "staging"}}
    )
    for environment in ("staging", "production"):
        assert platform.put_live(1, environment).ended[0] == "Completed"
    platform.containers.images = ["shop/web", "shop/release", "other/web"]
    return platform


def removed(platform, *only):
    found = find_remains("shop", only or None)
    return platform.run(remove, {"app": "shop", "environments": [one.environment for one in found.environments]})


def shown():
    return [(view.app, view.environment) for view in environments()]


@pytest.mark.long
def test_a_removed_application_is_not_shown_any_more(shop):
    remains = find_remains("shop")
    assert [(one.environment, bool(one.live), len(one.belongings)) for one in remains.environments] == [
        ("production", True, 1),
        ("staging", True, 1),
    ]
    assert remains.repositories == ("shop/web", "shop/release")

    run = removed(shop)

    assert len(run.error) == 4, run.ended
    assert shown() == [] == app_names()
    assert (shop.live("production"), shop.live("staging")) == (None, None)
    assert shop.containers.images == ["other/web"]
    assert not find_remains("shop")
    assert [lease.holder for lease in shop.leases.all()] == [None, None]


@pytest.mark.long
def test_what_is_known_of_it_stays(shop):
    assert shop.deliver().ended[0] == "Completed"
    release = shop.live()
    before = len(shop.archive.evidence(release))

    removed(shop)

    assert len(shop.archive.evidence(release)) == before > 0
    assert shop.happenings() == ["released", "released", "removed"]


def test_one_environment_may_go_alone(shop):
    removed(shop, "staging")

    assert shown() == [("shop", "production")]
    assert shop.live("staging") is None
    assert shop.containers.images == ["shop/web", "shop/release", "other/web"]


@pytest.mark.long
def test_the_settings_of_its_environments_go_and_those_of_others_stay(shop):
    for name in ("shop-production", "shoppe-production"):
        DeliveryEnvironment(secrets={"TOKEN": SecretStr("x")}).save(name, overwrite=True)
    try:
        assert [one.settings for one in find_remains("shop").environments] == ["shop-production", ""]

        removed(shop)

        assert [has_settings(name, "production") for name in ("shop", "shoppe")] == [False, True]
    finally:
        DeliveryEnvironment.delete("shoppe-production")


@pytest.mark.long
def test_a_run_without_a_project_does_not_deliver_what_was_removed(shop):
    shop.home.project.write_text(str(shop.project))

    removed(shop)

    state, message = shop.run(deliver, {}).ended
    assert (state, message.startswith("parameter project: not given")) == ("Misconfigured", True)


def test_an_environment_that_a_run_holds_is_refused_and_nothing_is_removed(shop):
    remains = find_remains("shop")
    shop.leases.take("shop", "staging", holder="somebody", reason="release x")

    with pytest.raises(Rejected, match="staging of shop is held by somebody"):
        check_nobody_uses(remains)
    run = removed(shop)

    assert isinstance(run.error, Rejected), run.ended
    assert len(shown()) == 2
    assert shop.leases.read("shop", "production").holder is None
    assert shop.live() is not None


@pytest.mark.parametrize("state", [Running(), Paused(timeout_seconds=60)], ids=["builds", "waits for an answer"])
def test_a_run_on_its_way_that_holds_nothing_yet_is_refused(shop, state):
    run = shop.create(deliver, {"project": str(shop.project)})
    with get_client(sync_client=True) as client:
        for one in (Running(), state):
            client.set_flow_run_state(run, one, force=True)

    with pytest.raises(Rejected, match=f"{run[:8]}.* delivers shop"):
        check_nobody_uses(find_remains("shop"))


@pytest.mark.long
def test_runs_of_other_applications_do_not_matter(shop, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "headway.yaml").write_text(json.dumps(APP | {"app": "other"}))
    run = shop.create(deliver, {"project": str(tmp_path / "other")})
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run, Running(), force=True)
    shop.leases.take("other", "production", holder=run, reason="release x")

    check_nobody_uses(find_remains("shop"))


@pytest.mark.long
def test_a_removal_that_died_is_finished_by_recovery(shop, monkeypatch):
    def die(host):
        raise OSError("the machine stopped")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryHost, "remove", die)
        assert removed(shop, "production").state.is_failed()
    assert len(shown()) == 2

    shop.run(recover, {})

    assert shown() == [("shop", "staging")]
    assert shop.live() is None
    assert shop.happenings() == ["released", "removed"]


def test_a_removal_whose_process_was_killed_is_finished_by_recovery(shop, monkeypatch):
    monkeypatch.setattr("tasks.recover.REPORT_SECONDS", 0)  # nobody is about to say how it ended
    lease = shop.leases.take("shop", "production", holder="dead", reason="removal of shop")
    last = shop.journal().last()
    shop.journal().write(last.model_copy(update={"verb": "remove", "stage": "intent", "sequence": lease.sequence}))
    died(shop.home.heartbeats, "dead", begins_again=False)

    shop.run(recover, {})

    assert shown() == [("shop", "staging")]
    assert shop.live() is None


def test_after_a_removal_it_can_be_delivered_and_nothing_of_before_comes_back(shop):
    before = shop.leases.read("shop", "production").sequence
    removed(shop)
    assert shop.deliver().ended[0] == "Completed"

    run = shop.run(rollback, {"app": "shop"})

    assert ("shop", "production") in shown()
    assert "there is no earlier release" in run.ended[1]
    assert shop.leases.read("shop", "production").sequence > before + 1  # whoever slept since then is refused
