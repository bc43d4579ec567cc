"""The stacks of infra/aws: formatted, valid, and planned against a local AWS with what each resource must say."""

import json
import re
import subprocess
from collections import Counter

import pytest

from tests.architecture.sources import text, tracked
from tests.infra.stacks import AWS, ENVIRONMENT, SHARED, StackOfOurs, policies, resources
from tests.support.stacks import needs_terraform
from tests.support.terraform_mirror import needs_provider

pytestmark = [pytest.mark.xdist_group("local-aws")]
MODULES = sorted(path.name for path in (AWS / "modules").iterdir() if path.is_dir())
# Operations that know no resource, or none but `*`: each is told so where it stands.
WITHOUT_RESOURCE = {"Login", "Definitions", "Tasks", "LookAtTraffic", "LookAtBackupJobs"}
# Their names are there once in an account and a region.
NAMED_ONCE = {
    "aws_ecr_repository",
    "aws_iam_role",
    "aws_iam_policy",
    "aws_lb",
    "aws_lb_target_group",
    "aws_cloudwatch_log_group",
    "aws_backup_plan",
}
UNTAGGED = {"aws_codedeploy_deployment_group"}


def of(found, kind):
    return [one["values"] for one in found if one["type"] == kind]


@pytest.fixture(scope="module")
def environment(aws, tmp_path_factory):
    """The plan of an environment, by CodeDeploy and with HTTPS, so that everything is in it."""
    stack = StackOfOurs("environment", tmp_path_factory.mktemp("environment"), aws)
    stack.run("validate")
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/one"
    everything = {"deployer": "codedeploy", "certificate": certificate, "second_region": True}
    return stack.plan({**ENVIRONMENT, **everything})


@pytest.fixture(scope="module")
def shared(aws, tmp_path_factory):
    stack = StackOfOurs("shared", tmp_path_factory.mktemp("shared"), aws)
    stack.run("validate")
    return stack.plan(SHARED)


@pytest.fixture(scope="module")
def apart(aws, tmp_path_factory):
    """The plan of the modules that are in none of both."""
    stack = StackOfOurs("apart", tmp_path_factory.mktemp("apart"), aws)
    stack.run("validate")
    return stack.plan(ENVIRONMENT)


@needs_terraform
def test_all_files_are_formatted():
    done = subprocess.run(["terraform", "fmt", "-check", "-recursive", "-diff", AWS], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_takes_and_gives(module):
    page = text(f"infra/aws/modules/{module}/README.md")
    for kind, file in (("variable", "variables.tf"), ("output", "outputs.tf")):
        named = re.findall(rf'^{kind} "(\w+)"', text(f"infra/aws/modules/{module}/{file}"), re.MULTILINE)
        assert named
        assert [name for name in named if f"| `{name}` |" not in page] == []
    assert f'source = "../modules/{module}"' in page


def test_every_variable_and_output_has_its_meaning():
    files = [
        name for name in tracked() if name.startswith("infra/aws/") and name.endswith(("variables.tf", "outputs.tf"))
    ]
    blocks = [
        one for name in files for one in re.findall(r'^(?:variable|output) "\w+" \{\n(.*?)^\}', text(name), re.M | re.S)
    ]
    assert len(blocks) > 150
    assert [one for one in blocks if "description = " not in one] == []


@needs_terraform
@needs_provider
class TestEnvironment:
    def test_before_the_first_release_a_service_wants_no_task(self, environment):
        services = of(resources(environment), "aws_ecs_service")

        assert {one["name"]: one["desired_count"] for one in services} == {"web": 0, "api": 0, "worker": 0}
        controllers = {one["name"]: one["deployment_controller"][0]["type"] for one in services}
        assert controllers == {"web": "CODE_DEPLOY", "api": "CODE_DEPLOY", "worker": "ECS"}
        assert [one["min_capacity"] for one in of(resources(environment), "aws_appautoscaling_target")] == [0, 0]

    def test_each_service_with_a_port_has_two_target_groups_on_both_rules(self, environment):
        found = resources(environment)

        assert len(of(found, "aws_lb_target_group")) == 4
        weights = [
            sorted(group["weight"] for group in one["action"][0]["forward"][0]["target_group"])
            for one in of(found, "aws_lb_listener_rule")
        ]
        assert weights == [[0, 100]] * 4

    def test_http_is_sent_on_to_https_and_codedeploy_waits_for_whoever_says_go(self, environment):
        found = resources(environment)
        by_port = {one["port"]: one for one in of(found, "aws_lb_listener")}
        groups = of(found, "aws_codedeploy_deployment_group")

        assert by_port[80]["default_action"][0]["redirect"][0]["protocol"] == "HTTPS"
        assert by_port[443]["ssl_policy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
        assert {one["deployment_group_name"] for one in groups} == {"web", "api"}
        ready = [one["blue_green_deployment_config"][0]["deployment_ready_option"][0] for one in groups]
        assert {one["action_on_timeout"] for one in ready} == {"STOP_DEPLOYMENT"}
        assert {one["auto_rollback_configuration"][0]["enabled"] for one in groups} == {True}

    def test_the_database_is_encrypted_kept_for_days_private_and_its_password_is_awss(self, environment):
        [database] = of(resources(environment), "aws_db_instance")

        assert (database["storage_encrypted"], database["publicly_accessible"]) == (True, False)
        assert (database["backup_retention_period"], database["deletion_protection"]) == (14, True)
        assert (database["manage_master_user_password"], database.get("password")) == (True, None)
        assert database["skip_final_snapshot"] is False
        assert database["max_allocated_storage"] > database["allocated_storage"]

    def test_backups_go_to_a_second_region_under_lock_and_are_restored_as_a_test(self, environment):
        found = resources(environment)
        [plan] = of(found, "aws_backup_plan")

        assert len(of(found, "aws_backup_vault")) == len(of(found, "aws_backup_vault_lock_configuration")) == 2
        assert len(plan["rule"][0]["copy_action"]) == 1
        assert len(of(found, "aws_backup_restore_testing_plan")) == 1

    def test_a_copy_is_restored_in_a_network_of_its_own_that_only_tasks_there_reach(self, environment):
        there = [one for one in resources(environment) if one["address"].startswith("module.second_region")]
        [rule] = of(there, "aws_vpc_security_group_ingress_rule")

        assert (rule["from_port"], rule["cidr_ipv4"]) == (5432, None)
        assert len(of(there, "aws_db_subnet_group")) == len(of(there, "aws_ecs_cluster")) == 1
        assert of(there, "aws_nat_gateway") == of(there, "aws_db_instance") == []

    def test_the_role_of_backups_does_what_copies_need_in_both_regions_and_passes_one_role(self, environment):
        by_sid = {one.get("Sid"): one for one in policies(environment)}

        vaults = by_sid["Vaults"]["Resource"]
        assert {one.split(":")[3] for one in vaults} == {"us-east-1", "us-west-2"}
        assert "rds:ModifyDBInstance" in by_sid["RestoredThere"]["Action"]
        assert {one.split(":")[3] for one in by_sid["RestoredThere"]["Resource"]} == {"us-west-2"}
        passed = by_sid["AsTheRoleOfBackups"]["Condition"]["StringEquals"]["iam:PassedToService"]
        assert passed.startswith("backup.")

    def test_tasks_are_given_the_secrets_that_headway_makes_in_both_regions(self, environment):
        only_read = [one for one in policies(environment) if one["Action"] == "secretsmanager:GetSecretValue"]

        of_headway = [one["Resource"] for one in only_read if str(one["Resource"]).endswith(":secret:headway/*")]
        assert {arn.split(":")[3] for arn in of_headway} == {"us-east-1", "us-west-2"}

    def test_only_the_load_balancer_is_reached_from_everywhere(self, environment):
        rules = of(resources(environment), "aws_vpc_security_group_ingress_rule")

        assert {one["from_port"] for one in rules if one["cidr_ipv4"] == "0.0.0.0/0"} == {80, 443}

    @pytest.mark.long
    def test_a_variable_that_is_missing_or_out_of_its_range_is_named(self, aws, tmp_path):
        stack = StackOfOurs("environment", tmp_path, aws)
        (tmp_path / "data-environment").mkdir(exist_ok=True)
        given = {key: value for key, value in ENVIRONMENT.items() if key != "owner"}
        with pytest.raises(AssertionError, match='variable "owner" is not set'):
            stack.plan(given)
        odd = {**ENVIRONMENT, "services": {"web": {"image": "busybox", "cpu": 300}}}
        with pytest.raises(AssertionError, match="Fargate has no other"):
            stack.plan(odd)


@needs_terraform
@needs_provider
class TestEach:
    @pytest.fixture(params=["environment", "apart", pytest.param("shared", marks=pytest.mark.long)])
    def plan(self, request):
        return request.getfixturevalue(request.param)

    def test_everything_that_can_be_tagged_says_whose_it_is(self, plan):
        taggable = [one for one in resources(plan) if "tags_all" in one["values"] and one["type"] not in UNTAGGED]

        assert len(taggable) > 2
        for one in taggable:
            tags = one["values"]["tags_all"] or {}
            assert {"app", "environment", "owner"} <= set(tags), one["address"]

    def test_no_two_resources_of_a_type_want_one_name(self, plan):
        named = Counter(
            (one["type"], one["values"].get("region"), one["values"]["name"])
            for one in resources(plan)
            if one["type"] in NAMED_ONCE
        )

        assert len(named) > 1
        assert [name for name, count in named.items() if count > 1] == []

    def test_no_policy_allows_everything(self, plan):
        statements = [one for one in policies(plan) if one["Effect"] == "Allow"]
        for one in statements:
            actions = [one["Action"]] if isinstance(one["Action"], str) else one["Action"]
            assert [action for action in actions if action == "*" or action.endswith(":*")] == [], one
            if one.get("Resource") == "*":
                assert one["Sid"] in WITHOUT_RESOURCE, one

    def test_every_bucket_is_private_encrypted_versioned_and_reached_over_tls_alone(self, plan):
        found = resources(plan)
        buckets = len(of(found, "aws_s3_bucket"))

        assert buckets
        for kind in ("versioning", "server_side_encryption_configuration", "public_access_block", "policy"):
            assert len(of(found, f"aws_s3_bucket_{kind}")) == buckets
        for one in of(found, "aws_s3_bucket_public_access_block"):
            assert {key: value for key, value in one.items() if key.endswith(("acls", "policy", "buckets"))} == {
                "block_public_acls": True,
                "block_public_policy": True,
                "ignore_public_acls": True,
                "restrict_public_buckets": True,
            }


@needs_terraform
@needs_provider
class TestApart:
    def test_flows_run_as_their_role_and_are_told_where_everything_is_and_their_key_by_reference(self, apart):
        [task] = of(resources(apart), "aws_ecs_task_definition")
        [container] = json.loads(task["container_definitions"])

        assert container["name"] == "prefect"
        assert {one["name"]: one["value"] for one in container["environment"]} == {
            "DOCKER_HOST": "ssh://deploy@builder",
            "HEADWAY_STORE": "s3://team-evidence/headway",
            "PREFECT_API_URL": "https://prefect.example.org/api",
        }
        assert [one["name"] for one in container["secrets"]] == ["PREFECT_API_AUTH_STRING"]
        assumed = [one for one in policies(apart) if one.get("Sid") == "AsTheRolesOfPhases"]
        assert {one["Resource"] for one in assumed} == {"arn:aws:iam::123456789012:role/shop-release"}

    def test_states_are_kept_by_version_and_a_table_for_locks_is_made_where_one_is_named(self, apart):
        [table] = of(resources(apart), "aws_dynamodb_table")
        [versioning] = of(resources(apart), "aws_s3_bucket_versioning")

        assert (table["name"], table["hash_key"]) == ("team-terraform-locks", "LockID")
        assert versioning["versioning_configuration"][0]["status"] == "Enabled"

    def test_every_module_is_in_a_stack_that_is_planned(self, environment, apart):
        planned = {
            one["address"].split(".")[1].split("[")[0] for plan in (environment, apart) for one in resources(plan)
        }

        assert {*planned, "registry", "evidence"} == set(MODULES)  # these two: in the one that is shared


@pytest.mark.long
@needs_terraform
@needs_provider
def test_images_are_in_repositories_whose_tags_nobody_moves_and_other_accounts_pull(shared):
    repositories = of(resources(shared), "aws_ecr_repository")

    assert {one["name"] for one in repositories} == {"shop/web", "shop/release"}
    assert {one["image_tag_mutability"] for one in repositories} == {"IMMUTABLE"}
    assert {one["image_scanning_configuration"][0]["scan_on_push"] for one in repositories} == {True}
    assert len(of(resources(shared), "aws_ecr_repository_policy")) == 2
