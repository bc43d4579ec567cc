"""A whole delivery into a place that the flows and steps have never heard of."""

import pytest

from delivery import opening
from delivery.ports.settings import EnvironmentSettings
from tests.places.folder_place.config import FolderTarget
from tests.places.folder_place.environment import open_folder
from tests.places.folder_place.files import ImageFile, write
from tests.support.kinds import target_kind

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


@pytest.fixture
def target(platform, monkeypatch, tmp_path):
    """The target of an environment in a folder, which a delivery goes into, for whoever wants to look."""
    monkeypatch.setitem(opening.PLACES, "folder", lambda: open_folder)
    with target_kind(FolderTarget):
        described = {"kind": "folder", "folder": str(tmp_path / "environments")}
        watch = {"seconds": 0.1, "interval_seconds": 0.01, "longer_seconds": 0}
        smoke = {"unit": {"image": "web"}}
        platform.describe(
            environments={"production": {"target": described, "shift": "AllAtOnce", "watch": watch}}, suites=smoke
        )
        app = platform.app
        settings = EnvironmentSettings(app="shop", environment="production")
        yield opening.open_environment(app, app.environments["production"], settings, sequence=0).target


def test_a_delivery_puts_a_revision_live_in_a_new_place_and_takes_a_bad_one_back(platform, target):
    run = platform.deliver()
    assert run.state.is_completed(), run.ended
    first = target.observe().live
    assert first.release.revision.sha == platform.git("rev-parse", "HEAD")
    assert (first.weight, first.healthy) == (100, True)

    platform.commit("Break it")
    platform.containers.during["publish"] = lambda: fail_when_live(platform, target)
    bad = platform.deliver()

    assert bad.ended[0] == "Withdrawn"
    assert "requests failed" in bad.ended[1]
    assert target.observe().live == first
    assert platform.happenings() == ["released", "withdrawn"]


def fail_when_live(platform, target):
    """Let the image that was built last fail half of its requests."""
    digest = platform.containers.built[-1].ref.digest
    write(target.files.folder / "images" / f"{digest.removeprefix('sha256:')}.json", ImageFile(error_percent=50))
