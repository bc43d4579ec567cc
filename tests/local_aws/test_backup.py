"""AWS Backup: selections, what belongs to a vault, and restore testing, told as they were given.

What AWS says stands with each operation in local_aws/services/backup*.py.
"""

import pytest
from botocore.exceptions import ClientError

from tests.support.ecs import ROLE

pytestmark = pytest.mark.xdist_group("local-aws")
RULE = {"RuleName": "daily", "TargetBackupVaultName": "vault", "Lifecycle": {"DeleteAfterDays": 35}}
SELECTION = {
    "SelectionName": "tagged",
    "IamRoleArn": ROLE,
    "Resources": ["arn:aws:rds:*:*:db:*"],
    "NotResources": ["arn:aws:rds:*:*:db:other"],
    "ListOfTags": [{"ConditionType": "STRINGEQUALS", "ConditionKey": "backup", "ConditionValue": "daily"}],
    "Conditions": {"StringEquals": [{"ConditionKey": "aws:ResourceTag/backup", "ConditionValue": "daily"}]},
}
TOLD = {"SNSTopicArn": "arn:aws:sns:us-east-1:123456789012:alerts", "BackupVaultEvents": ["BACKUP_JOB_COMPLETED"]}
TESTING = {
    "RestoreTestingPlanName": "weekly",
    "ScheduleExpression": "cron(0 6 ? * 1 *)",
    "RecoveryPointSelection": {
        "Algorithm": "LATEST_WITHIN_WINDOW",
        "IncludeVaults": ["*"],
        "RecoveryPointTypes": ["SNAPSHOT"],
        "SelectionWindowDays": 7,
    },
}
RESTORED = {
    "RestoreTestingSelectionName": "databases",
    "IamRoleArn": ROLE,
    "ProtectedResourceType": "RDS",
    "ProtectedResourceArns": ["*"],
    "RestoreMetadataOverrides": {"dbInstanceClass": "db.t4g.micro"},
}


@pytest.fixture(scope="module")
def backup(held):
    return held.client("backup")


@pytest.fixture
def vault(backup):
    backup.create_backup_vault(BackupVaultName="vault", BackupVaultTags={"a": "b"})
    yield "vault"
    backup.delete_backup_vault(BackupVaultName="vault")


@pytest.fixture
def plan(backup, vault):
    """The id of a plan; selections that a test leaves go with it."""
    document = {"BackupPlanName": "daily", "Rules": [RULE]}
    plan = backup.create_backup_plan(BackupPlan=document, BackupPlanTags={"a": "b"})["BackupPlanId"]
    yield plan
    for one in backup.list_backup_selections(BackupPlanId=plan)["BackupSelectionsList"]:
        backup.delete_backup_selection(BackupPlanId=plan, SelectionId=one["SelectionId"])
    backup.delete_backup_plan(BackupPlanId=plan)


@pytest.fixture
def testing(backup):
    """A plan of restore testing, with a selection."""
    backup.create_restore_testing_plan(RestoreTestingPlan=TESTING, Tags={"a": "b"})
    asked = {"RestoreTestingPlanName": "weekly"}
    backup.create_restore_testing_selection(**asked, RestoreTestingSelection=RESTORED)
    yield asked
    for one in backup.list_restore_testing_selections(**asked)["RestoreTestingSelections"]:
        backup.delete_restore_testing_selection(**asked, RestoreTestingSelectionName=one["RestoreTestingSelectionName"])
    backup.delete_restore_testing_plan(**asked)


def error_of(call, **asked):
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return refused.value.response["Error"]["Code"]


def select(backup, plan, **more):
    selection = {**SELECTION, **more}
    return backup.create_backup_selection(BackupPlanId=plan, BackupSelection=selection)["SelectionId"]


def test_a_selection_is_told_as_it_was_given(backup, plan):
    made = select(backup, plan)

    found = backup.get_backup_selection(BackupPlanId=plan, SelectionId=made)
    assert (found["BackupSelection"], found["SelectionId"], found["BackupPlanId"]) == (SELECTION, made, plan)
    select(backup, plan, SelectionName="other")
    pages = backup.get_paginator("list_backup_selections").paginate(BackupPlanId=plan, PaginationConfig={"PageSize": 1})
    listed = [one for page in pages for one in page["BackupSelectionsList"]]
    assert [(one["SelectionName"], one["IamRoleArn"]) for one in listed] == [("tagged", ROLE), ("other", ROLE)]
    assert error_of(select, backup=backup, plan=plan) == "AlreadyExistsException"


def test_a_plan_with_selections_is_not_deleted(backup, plan):
    made = select(backup, plan)
    assert error_of(backup.delete_backup_plan, BackupPlanId=plan) == "InvalidRequestException"

    backup.delete_backup_selection(BackupPlanId=plan, SelectionId=made)

    assert error_of(backup.get_backup_selection, BackupPlanId=plan, SelectionId=made) == "ResourceNotFoundException"


def test_selections_of_a_plan_that_is_not_there_are_refused(backup):
    assert error_of(select, backup=backup, plan="none") == "ResourceNotFoundException"
    assert error_of(backup.list_backup_selections, BackupPlanId="none") == "ResourceNotFoundException"


def test_a_plan_that_is_updated_has_another_version(backup, plan):
    before = backup.get_backup_plan(BackupPlanId=plan)
    document = {"BackupPlanName": "daily", "Rules": [{**RULE, "Lifecycle": {"DeleteAfterDays": 7}}]}

    told = backup.update_backup_plan(BackupPlanId=plan, BackupPlan=document)

    found = backup.get_backup_plan(BackupPlanId=plan)
    assert found["BackupPlan"]["Rules"][0]["Lifecycle"] == {"DeleteAfterDays": 7}
    assert before["VersionId"] != told["VersionId"] == found["VersionId"]
    assert found["BackupPlanArn"] == before["BackupPlanArn"]


def test_notifications_and_policy_of_a_vault_are_kept_and_removed(backup, vault):
    named, policy = {"BackupVaultName": vault}, '{"Version": "2012-10-17", "Statement": []}'
    for get in (backup.get_backup_vault_notifications, backup.get_backup_vault_access_policy):
        assert error_of(get, **named) == "ResourceNotFoundException"
        assert error_of(get, BackupVaultName="none") == "ResourceNotFoundException"

    backup.put_backup_vault_notifications(**named, **TOLD)
    backup.put_backup_vault_access_policy(**named, Policy=policy)

    found = backup.get_backup_vault_notifications(**named)
    assert {name: found[name] for name in TOLD} == TOLD
    assert found["BackupVaultArn"].endswith(":backup-vault:vault")
    assert backup.get_backup_vault_access_policy(**named)["Policy"] == policy
    backup.delete_backup_vault_notifications(**named)
    backup.delete_backup_vault_access_policy(**named)
    assert error_of(backup.get_backup_vault_notifications, **named) == "ResourceNotFoundException"
    assert error_of(backup.get_backup_vault_access_policy, **named) == "ResourceNotFoundException"


def test_what_belongs_to_a_vault_goes_with_it(backup):
    named = {"BackupVaultName": "gone"}
    for _ in range(2):
        arn = backup.create_backup_vault(**named)["BackupVaultArn"]
        assert error_of(backup.get_backup_vault_notifications, **named) == "ResourceNotFoundException"
        assert backup.list_tags(ResourceArn=arn)["Tags"] == {}
        backup.put_backup_vault_notifications(**named, **TOLD)
        backup.tag_resource(ResourceArn=arn, Tags={"a": "b"})
        backup.delete_backup_vault(**named)


def test_a_lock_of_a_vault_is_told_and_removed(backup, vault):
    named = {"BackupVaultName": vault}
    days = {"MinRetentionDays": 7, "MaxRetentionDays": 365}

    backup.put_backup_vault_lock_configuration(**named, **days, ChangeableForDays=3)

    found = backup.describe_backup_vault(**named)
    assert ({name: found[name] for name in days}, found["Locked"]) == (days, True)
    backup.delete_backup_vault_lock_configuration(**named)
    assert backup.describe_backup_vault(**named)["Locked"] is False


def test_tags_are_told_with_a_slash_at_the_end_and_without(held, backup, plan, testing):
    """boto3 puts a slash behind the ARN, other clients do not."""
    arns = [
        backup.describe_backup_vault(BackupVaultName="vault")["BackupVaultArn"],
        backup.get_backup_plan(BackupPlanId=plan)["BackupPlanArn"],
        backup.get_restore_testing_plan(**testing)["RestoreTestingPlan"]["RestoreTestingPlanArn"],
    ]
    without = held.server.client("backup")
    without.meta.events.register(
        "before-sign.backup.ListTags", lambda request, **_: setattr(request, "url", request.url.rstrip("/"))
    )

    for arn in arns:
        backup.tag_resource(ResourceArn=arn, Tags={"c": "d"})
        told = [client.list_tags(ResourceArn=arn)["Tags"] for client in (backup, without)]
        backup.untag_resource(ResourceArn=arn, TagKeyList=["a"])
        assert told == [{"a": "b", "c": "d"}] * 2
        assert backup.list_tags(ResourceArn=arn)["Tags"] == {"c": "d"}


def test_restore_testing_is_told_as_it_was_given(backup, testing):
    found = backup.get_restore_testing_plan(**testing)["RestoreTestingPlan"]
    points = found["RecoveryPointSelection"]
    assert {name: points[name] for name in TESTING["RecoveryPointSelection"]} == TESTING["RecoveryPointSelection"]
    assert found["ScheduleExpression"] == TESTING["ScheduleExpression"]
    assert (found["StartWindowHours"], found["ScheduleExpressionTimezone"]) == (24, "Etc/UTC")
    assert [one["RestoreTestingPlanName"] for one in backup.list_restore_testing_plans()["RestoreTestingPlans"]] == [
        "weekly"
    ]

    selection = {**testing, "RestoreTestingSelectionName": "databases"}
    found = backup.get_restore_testing_selection(**selection)["RestoreTestingSelection"]
    assert {name: found[name] for name in RESTORED} == RESTORED
    listed = backup.list_restore_testing_selections(**testing)["RestoreTestingSelections"]
    assert [(one["RestoreTestingSelectionName"], one["ProtectedResourceType"]) for one in listed] == [
        ("databases", "RDS")
    ]


def test_restore_testing_is_changed(backup, testing):
    backup.update_restore_testing_plan(**testing, RestoreTestingPlan={"StartWindowHours": 12})
    changed = {"IamRoleArn": ROLE, "ProtectedResourceArns": ["arn:aws:rds:us-east-1:123456789012:db:shop"]}
    named = {**testing, "RestoreTestingSelectionName": "databases"}
    backup.update_restore_testing_selection(**named, RestoreTestingSelection={**changed, "ValidationWindowHours": 4})

    plan = backup.get_restore_testing_plan(**testing)["RestoreTestingPlan"]
    assert (plan["StartWindowHours"], plan["ScheduleExpression"]) == (12, TESTING["ScheduleExpression"])
    found = backup.get_restore_testing_selection(**named)["RestoreTestingSelection"]
    assert (found["ProtectedResourceArns"], found["ValidationWindowHours"], found["ProtectedResourceType"]) == (
        changed["ProtectedResourceArns"],
        4,
        "RDS",
    )


def test_restore_testing_that_cannot_be_is_refused(backup, testing):
    create, select = backup.create_restore_testing_plan, backup.create_restore_testing_selection

    assert error_of(create, RestoreTestingPlan=TESTING) == "AlreadyExistsException"
    named = {**TESTING, "RestoreTestingPlanName": "not-so"}
    assert error_of(create, RestoreTestingPlan=named) == "InvalidParameterValueException"
    assert error_of(select, **testing, RestoreTestingSelection=RESTORED) == "AlreadyExistsException"
    nowhere = {"RestoreTestingPlanName": "none"}
    assert error_of(select, **nowhere, RestoreTestingSelection=RESTORED) == "ResourceNotFoundException"
    assert error_of(backup.get_restore_testing_plan, **nowhere) == "ResourceNotFoundException"
    assert error_of(backup.delete_restore_testing_plan, **testing) == "InvalidRequestException"


def test_a_vault_has_no_recovery_points(backup, vault):
    assert backup.list_recovery_points_by_backup_vault(BackupVaultName=vault)["RecoveryPoints"] == []

    with pytest.raises(ClientError, match="does not exist"):
        backup.list_recovery_points_by_backup_vault(BackupVaultName="other")
