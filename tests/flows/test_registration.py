"""What the platform tells a Prefect server to keep, and what it does not overwrite there."""

import pytest

from blocks.registration import registered_store
from cli.registration import register
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.platform.orchestrator import Orchestrator

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


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
