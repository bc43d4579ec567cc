"""The local AWS of a platform: started beside it, found by what runs, and kept over restarts."""

import boto3
import pytest

from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.platform import local_aws
from delivery.platform.local_aws import LocalAws
from delivery.platform.orchestrator import Orchestrator

pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    yield home
    LocalAws(home).stop()


@pytest.fixture
def nothing_named(monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("nothing_named")
def test_what_was_made_is_there_after_a_stop_and_after_a_kill_at_the_same_address(home, monkeypatch):
    local = LocalAws(home)
    local.start()
    url = local.url
    for name, value in local.environment().items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="kept")

    process = local.daemon.process()
    process.kill()
    process.wait(10)
    local.start()
    killed = [one["Name"] for one in client.list_buckets()["Buckets"]]
    stopped = local.stop()
    local.start()

    assert (stopped, local.url) == (True, url)
    assert killed == [one["Name"] for one in client.list_buckets()["Buckets"]] == ["kept"]
    client.close()


@pytest.mark.usefixtures("nothing_named")
def test_what_the_platform_runs_is_led_there_as_long_as_it_is_up(home):
    local = LocalAws(home)
    assert "AWS_ENDPOINT_URL" not in Orchestrator(home).environment()
    local.start()

    assert Orchestrator(home).environment()["AWS_ENDPOINT_URL"] == local.url
    local.stop()
    assert "AWS_ENDPOINT_URL" not in Orchestrator(home).environment()


def test_whoever_has_named_another_aws_keeps_it(home, monkeypatch):
    local = LocalAws(home)
    (home.root / "daemons").mkdir(parents=True)
    local._wanted.touch()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://aws.shop.example")

    assert local.environment() == {}


def test_where_it_is_not_installed_it_is_said_how_to(home, monkeypatch):
    monkeypatch.setattr(local_aws, "NEEDED", ("nothing_that_is_there",))

    with pytest.raises(Misconfigured, match="there is no nothing_that_is_there") as told:
        LocalAws(home).start()

    assert "pip install 'headway[local-aws]'" in str(told.value)
    assert not LocalAws(home).is_up
