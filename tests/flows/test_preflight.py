"""What an environment needs is looked at before anything is changed: each thing in a line, with what mends it."""

import pytest
from prefect_aws import AwsCredentials

from blocks.environment import DeliveryEnvironment, block_name
from delivery.platform.local_aws import variables
from flows.preflight import preflight
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]
ROLE = "arn:aws:iam::222222222222:role/release"


@pytest.fixture
def looked(platform):
    """Look at production, and return what → whether it is well, what was found, and the next step."""

    def look():
        found = preflight(platform.app, "production")
        return {one.what: (one.is_well, one.found, one.next_step) for one in found}

    return look


@pytest.fixture
def on_aws(platform, aws, monkeypatch):
    """Production has credentials with a role for releases, and its images are in ECR."""
    for name, value in variables(aws.url).items():
        monkeypatch.setenv(name, value)
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
    block = AwsCredentials(**keys, aws_client_parameters={"endpoint_url": aws.url})
    block.save("production-account", overwrite=True, _sync=True)
    settings = DeliveryEnvironment(
        aws_credentials="production-account", aws_roles={"release": ROLE, "migrate": ROLE}, registry="ecr://preflight"
    )
    settings.save(block_name("shop", "production"), overwrite=True, _sync=True)
    yield aws
    aws.put_faults()
    DeliveryEnvironment.delete(block_name("shop", "production"), _sync=True)


@pytest.mark.parametrize("platform", ["folder"], indirect=True)
def test_an_environment_that_needs_nothing_of_aws_is_asked_nothing_of_it(platform, looked):
    assert looked() == {
        "artifact store": (True, str(platform.home.store / "releases"), ""),
        "image registry": (True, "registry:5000", ""),
        "target of production": (True, "nothing is live", ""),
    }

    live = platform.put_live(1).state.is_completed() and platform.live()

    assert looked()["target of production"] == (True, f"{live.fingerprint} is live", "")


def test_credentials_roles_and_repositories_are_asked_and_nothing_is_made(on_aws, looked):
    found = looked()

    assert found["AWS credentials of production"] == (True, "arn:aws:sts::123456789012:user/moto in us-east-1", "")
    assert found["AWS role for migrate, release"] == (True, f"{ROLE}, in account 222222222222", "")
    assert found["repository of web"] == (True, "preflight/shop/web is made at the first push", "")
    assert on_aws.client("ecr").describe_repositories()["repositories"] == []


def test_all_that_is_wrong_is_told_at_once(on_aws, looked, platform):
    """Of each the words that a delivery would end with, before one has begun."""
    on_aws.client("ecr").create_repository(repositoryName="preflight/shop/web")
    on_aws.client("secretsmanager").create_secret(Name="preflight/db", SecretString='{"user": "app"}')
    secrets = {"TOKEN": "aws-secretsmanager:preflight/db#token", "KEY": "shop-key"}
    platform.describe(environments={"production": {"target": MEMORY, "secrets": secrets}})
    on_aws.put_faults({"service": "sts", "operation": "AssumeRole", "kind": "denied", "times": 10})

    found = looked()

    wrong = {what: (said, step) for what, (is_well, said, step) in found.items() if not is_well}
    on_aws.client("ecr").delete_repository(repositoryName="preflight/shop/web")
    assert wrong.keys() == {
        "AWS role for migrate, release",
        "repository of web",
        "environments.production.secrets.TOKEN",
        "environments.production.secrets.KEY",
    }
    assert "cannot be assumed" in wrong["AWS role for migrate, release"][0]
    assert wrong["repository of web"] == (
        "repository preflight/shop/web: its tags are mutable: what was tested could be replaced",
        "aws ecr put-image-tag-mutability --repository-name preflight/shop/web --image-tag-mutability IMMUTABLE",
    )
    assert "has no key token; allowed: user" in wrong["environments.production.secrets.TOKEN"][0]
    assert wrong["environments.production.secrets.KEY"][1] == "headway secret set shop-key"


def test_settings_that_cannot_be_read_are_the_one_thing_that_is_told(platform, looked):
    settings = DeliveryEnvironment(aws_credentials="nobody's")
    settings.save(block_name("shop", "production"), overwrite=True, _sync=True)

    found = looked()

    DeliveryEnvironment.delete(block_name("shop", "production"), _sync=True)
    [(is_well, said, step)] = found.values()
    assert not is_well
    assert "AWS Credentials nobody's: there is no such block" in said
    assert step == "make it in the Prefect UI, under Blocks"
