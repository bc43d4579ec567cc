"""What the platform tells a Prefect server to keep, and what it does not overwrite there."""

from pathlib import Path

import pytest
import yaml
from prefect import flow
from prefect.client.orchestration import get_client

from blocks.registration import registered_store
from cli.registration import register
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.platform.orchestrator import POOL, Orchestrator

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


@flow(name="take nothing")
def take_nothing() -> None:
    """Stand for all flows."""


@pytest.mark.parametrize("platform", ["folder"], indirect=True)  # it looks at the files
def test_a_second_platform_does_not_take_over_the_server_of_the_first(platform, tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://ann:pa55word@elsewhere:4200/api")
    second = Orchestrator(Home(tmp_path / "second"))

    with pytest.raises(Misconfigured) as caught:
        register(second, "registry:5000")

    assert str(caught.value).startswith(
        f"PREFECT_API_URL: http://elsewhere:4200/api serves the platform that keeps its state in {platform.home.store}"
    )
    assert registered_store() == str(platform.home.store)


def test_on_a_server_of_its_own_a_platform_that_lives_is_not_taken_over_either(platform, tmp_path):
    platform.home.store.mkdir(parents=True, exist_ok=True)

    with pytest.raises(Misconfigured, match="give each platform a server of its own"):
        register(Orchestrator(Home(tmp_path / "second")), "registry:5000")


def test_what_somebody_removed_is_registered_again_and_what_others_have_there_does_not_count(platform, monkeypatch):
    asked = []

    def deploy(argv, *, env, **_):
        described = yaml.safe_load(Path(argv[-1]).read_text())["deployments"]
        asked.append(len(described))
        with get_client(sync_client=True) as client:
            flow = client.create_flow(take_nothing)
            for number in range(len(described)):
                version = env["HEADWAY_VERSION"]
                client.create_deployment(flow, f"one-{number}", version=version, work_pool_name=POOL)
            client.create_deployment(flow, "of somebody else", version="7")

    monkeypatch.setattr("cli.registration.run", deploy)
    prefect = Orchestrator(platform.home)
    register(prefect, "registry:5000")
    register(prefect, "registry:5000")
    once = len(asked)
    with get_client(sync_client=True) as client:
        client.delete_deployment(client.read_deployment_by_name("take nothing/one-3").id)
    register(prefect, "registry:5000")

    assert (once, len(asked)) == (1, 2)
