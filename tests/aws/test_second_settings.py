"""What is known of a second region: what headway.yaml says of it, and what the stack's outputs do."""

import pytest
from pydantic import SecretStr

from delivery.aws.environment import open_ecs
from delivery.aws.second_region import SecondRegion
from delivery.aws.second_settings import second_settings
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.ports.aws_account import AwsAccount
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from delivery.spec.ecs_target import EcsTarget

VAULT = "arn:aws:backup:eu-west-1:123456789012:backup-vault:shop-copy"
ROLE = "arn:aws:iam::123456789012:role/shop-aws-backup"
BACKUP = {"vault": "shop", "copy_vault": VAULT, "role": ROLE}
TASKS = {
    "cluster": "shop-copy",
    "subnets": ["subnet-1"],
    "security_groups": ["sg-1"],
    "execution_role": "arn:aws:iam::123456789012:role/shop-copy-execution",
    "log_group": "/headway/shop-copy",
    "public_address": True,
}
THERE = {"subnet_group": "shop-copy", "security_groups": ["sg-2"], "parameter_group": "shop-copy", "tasks": TASKS}


def known(said=None, **outputs):
    target = EcsTarget.model_validate({"kind": "ecs", "second_region": said or {}})
    return second_settings(target, EnvironmentSettings(app="shop", environment="production", outputs=outputs))


def test_without_vaults_there_is_no_second_region():
    assert known() is None
    assert known(backup={"vault": "shop"}) is None


def test_the_outputs_of_the_stack_say_all_of_it():
    found = known(backup=BACKUP, second_region=THERE)

    assert (found.region, found.copy_name, found.place) == ("eu-west-1", "shop-copy", "eu-west-1, vault shop-copy")
    assert (found.subnet_group, found.security_groups, found.lacks) == ("shop-copy", ("sg-2",), "")
    assert (found.tasks.cluster, found.tasks.subnets, found.tasks.public_address) == ("shop-copy", ("subnet-1",), True)


def test_what_headway_yaml_says_counts_more_than_the_outputs():
    found = known({"vault": "other", "keep_days": 7, "tasks": {"cluster": "mine"}}, backup=BACKUP, second_region=THERE)

    assert (found.vault, found.keep_days, found.tasks.cluster) == ("other", 7, "mine")


def test_copies_are_sent_where_nothing_says_with_what_they_are_restored():
    found = known(backup=BACKUP, second_region=None)

    assert (found.tasks, found.lacks) == (None, "target.second_region.subnet_group")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"vault": "shop"}, r"second_region\.copy_vault: is not said, and .* tells no backup\.copy_vault"),
        ({"vault": "shop", "copy_vault": VAULT}, r"second_region\.role: is not said"),
        ({**BACKUP, "copy_vault": "shop-copy"}, r"second_region\.copy_vault: shop-copy; allowed: the ARN of a vault"),
        ({**BACKUP, "tasks": {"cluster": "shop"}}, r"second_region\.tasks\.subnets: is not said"),
    ],
)
def test_what_is_half_said_is_told_with_its_key(said, told):
    with pytest.raises(Misconfigured, match=rf"environments\.production\.target\.{told}"):
        known(said)


@pytest.mark.parametrize(("outputs", "opened"), [({"backup": BACKUP, "second_region": THERE}, True), ({}, False)])
def test_an_environment_whose_backups_are_copied_has_a_second_place(tmp_path, outputs, opened):
    said = {"cluster": "shop", "subnets": ["subnet-1"], "security_groups": ["sg-1"], "instance": "shop"}
    said |= {"execution_role": ROLE, "log_group": "/headway/shop", "bucket": "team-artifacts"}
    file = {"app": "shop", "images": {"web": {}}, "services": {"web": {"port": 8000}}, "database": {}}
    app = App.model_validate({**file, "environments": {"production": {"target": {"kind": "ecs", **said}}}})
    account = AwsAccount(region="us-east-1", key_id="local", secret_key=SecretStr("local"))
    settings = EnvironmentSettings(app="shop", environment="production", aws=account, outputs=outputs)

    found = open_ecs(app, app.environments["production"], settings, sequence=1, home=Home(tmp_path))

    assert isinstance(found.second_place, SecondRegion) is opened
