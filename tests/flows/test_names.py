"""A run is called by its application, revision and environment: in the UI, in leases, in reports, in lists."""

from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from pydantic import SecretStr

from delivery.errors import Misconfigured
from delivery.ports.logs import LogWish
from flows import logs
from flows import secret_blocks as kept
from flows.deliver import deliver
from flows.rollback import rollback
from flows.run_search import FEWEST, find, latest
from tasks.environment import load_settings
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


def name_of(run: str) -> str:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(run)).name


def phases_of(run: str) -> list[str]:
    with get_client(sync_client=True) as client:
        below = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[UUID(run)]))
        return [child.name for child in client.read_flow_runs(flow_run_filter=below)]


def test_a_delivery_is_called_by_what_goes_where(platform):
    leases = []
    platform.behaviour().during = lambda verb: leases.append(platform.leases.read("shop", "production"))

    run = platform.deliver()

    short = platform.git("rev-parse", "HEAD")[:7]
    assert name_of(run.id) == platform.record(run.id).name == f"shop {short} → production"
    assert f"release shop {short} → production" in phases_of(run.id)
    assert f"build shop {short}" in phases_of(run.id)
    assert f"is held by shop {short} → production (run {run.id[:8]}) since" in leases[0].describe()
    assert [seen.app for seen in latest(3, "shop")][:1] == ["shop"]
    assert latest(50, "sho") == []


def test_the_newest_of_an_application_is_found_behind_those_of_one_whose_name_ends_alike(platform):
    names = ["bakeshop 1a2b3c4 → production", *["webakeshop 1a2b3c4 → production"] * FEWEST]
    with get_client(sync_client=True) as client:
        first, *_ = (client.create_flow_run(deliver, parameters={}, name=name) for name in names)

    assert [one.id for one in latest(1, "bakeshop")] == [str(first.id)]
    assert find(str(first.id)[:8], "bakeshop").id == str(first.id)


def test_a_delivery_that_cannot_begin_is_called_so_too(platform):
    (platform.project / "headway.yaml").write_text("app: shop\nimages: 3\n")
    sha = platform.commit("Break the file")

    run = platform.deliver()

    assert run.ended[0] == "Misconfigured"
    assert name_of(run.id) == f"shop {sha[:7]} → production"


@pytest.mark.long
def test_a_run_that_starts_again_keeps_its_name_although_the_branch_went_on(platform):
    run = platform.deliver()
    before = name_of(run.id)
    platform.commit("Go on")

    platform.carry_again(deliver, run.id)

    assert name_of(run.id) == before


def test_a_rollback_is_called_by_what_it_goes_back_to(platform):
    platform.put_live(1)
    platform.put_live(2)

    run = platform.run(rollback, {"app": "shop", "environment": "production"})

    name = f"shop rollback to {platform.release(1).revision.short} → production"
    assert run.state.is_completed(), run.ended
    assert name_of(run.id) == platform.record(run.id).name == name


def test_a_rollback_that_has_nothing_to_go_back_to_is_called_by_where(platform):
    run = platform.run(rollback, {"app": "moon", "environment": "production"})

    assert name_of(run.id) == "moon rollback → production"


@pytest.mark.long
def test_steps_with_nothing_to_do_are_not_there(platform):
    still = {"target": MEMORY, "watch": {"seconds": 0}, "prove_backup": True, "shift": "AllAtOnce"}
    platform.describe(environments={"production": still})

    run = platform.deliver()

    assert run.state.is_completed(), run.ended
    steps = {step.name for step in platform.record(run.id).steps}
    assert "shift to 100 %" in steps
    for idle in ("watch", "start database", "migrate", "restore", "lay out", "check still approved"):
        assert not [name for name in steps if name.startswith(idle)]


def test_logs_are_printed_without_the_secrets_of_the_environment(platform):

    kept.store("shop-token", _secret("hunter2-canary"))
    platform.describe(environments={"production": {"target": MEMORY, "secrets": {"TOKEN": "shop-token"}}})
    run = platform.deliver()
    assert run.state.is_completed(), run.ended
    platform.behaviour().printed["web"] = ["one", "token is hunter2-canary", "three"]

    said = [line.text for line in logs.read("shop", "production", LogWish(part="web", tail=2))]

    assert said == ["token is ***", "three"]
    with pytest.raises(Misconfigured, match="allowed: web"):
        list(logs.read("shop", "production", LogWish(part="wbe")))
    with pytest.raises(Misconfigured, match=r"nothing was released there; allowed: shop \(production\)"):
        list(logs.read("moon", "production", LogWish(part="web")))


@pytest.mark.parametrize("value", ["hunter2", "0123", "true", '{"a": "b"}', '"quoted"', "a\nb"])
def test_a_secret_reaches_its_environment_as_it_was_set(platform, value):

    assert {view.name: view.is_there for view in kept.overview(None)}.get("shop-exact") in (None, True)
    kept.store("shop-exact", _secret(value))
    platform.describe(environments={"production": {"target": MEMORY, "secrets": {"KEY": "shop-exact"}}})

    settings = load_settings(platform.app, "production", with_secrets=True)

    assert settings.secrets["KEY"].get_secret_value() == value
    (view,) = [one for one in kept.overview(platform.app) if one.name == "shop-exact"]
    assert (view.is_there, view.used_by) == (True, ("shop: environments.production.secrets.KEY",))
    assert kept.missing_secrets(platform.app) == {}
    assert kept.remove("shop-exact")
    assert not kept.remove("shop-exact")
    assert kept.missing_secrets(platform.app) == {"environments.production.secrets.KEY": "shop-exact"}


def test_a_secret_that_is_missing_is_told_with_the_command_that_sets_it(platform):
    platform.describe(environments={"production": {"target": MEMORY, "secrets": {"KEY": "shop-nowhere"}}})

    run = platform.deliver()

    assert run.ended[0] == "Misconfigured"
    assert "next: headway secret set shop-nowhere" in run.ended[1]


def _secret(value):
    return SecretStr(value)
