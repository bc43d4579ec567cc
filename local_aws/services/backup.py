"""AWS Backup: selections of plans, and what belongs to a vault; what is backed up is in backup_jobs."""

import json
import time
from typing import Any
from urllib.parse import unquote

from moto.backup import urls
from moto.backup.models import Plan, Vault
from moto.backup.responses import BackupResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.moto_api._internal import mock_random

from local_aws.services import backup_jobs, backup_points, backup_restore_testing
from local_aws.services.backup_records import page, path_parts, records_of
from local_aws.services.errors import Refusal

ROUTES = (
    "/backup-vaults/(?P<name>[^/]+)/notification-configuration$",
    "/backup-vaults/(?P<name>[^/]+)/access-policy$",
    "/backup-vaults/(?P<name>[^/]+)/recovery-points/$",
    "/backup-vaults/(?P<name>[^/]+)/recovery-points$",
    "/backup-vaults/(?P<name>[^/]+)/recovery-points/(?P<arn>.+)$",
    "/backup-jobs/?$",
    "/backup-jobs/(?P<job>[^/]+)$",
    "/copy-jobs/?$",
    "/copy-jobs/(?P<job>[^/]+)$",
    "/restore-jobs/?$",
    "/restore-jobs/(?P<job>.+)$",
    "/restore-testing/plans$",
    "/restore-testing/plans/(?P<rest>.+)$",
)
_delete_plan, _delete_vault = BackupResponse.delete_backup_plan, BackupResponse.delete_backup_vault


def create_backup_plan(self: BackupResponse) -> ActionResult:
    """Keep a plan: "If you call CreateBackupPlan with a plan that already exists, you receive an AlreadyExistsException
    exception." One that was deleted is none.

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupPlan.html
    """
    backend, asked = self.backup_backend, json.loads(self.body)
    name = asked["BackupPlan"]["BackupPlanName"]
    if any(one.backup_plan["BackupPlanName"] == name for one in backend.plans.values() if not one.deletion_date):
        raise Refusal("AlreadyExistsException", "Backup plan with the same plan document already exists")
    plan = Plan(asked["BackupPlan"], asked.get("CreatorRequestId"), backend)
    backend.plans[plan.backup_plan_id] = plan
    backend.tag_resource(plan.backup_plan_arn, asked.get("BackupPlanTags") or {})
    return ActionResult(plan.to_dict())


def update_backup_plan(self: BackupResponse) -> ActionResult:
    """Replace a plan's document: "Updates the specified backup plan. The new version is uniquely identified by its ID."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_UpdateBackupPlan.html
    """
    plan = _plan_of(self, path_parts(self)[2])
    document = json.loads(self.body)["BackupPlan"]
    newer = Plan(document, plan.creator_request_id, self.backup_backend)
    plan.version_id, plan.backup_plan = newer.version_id, newer.backup_plan
    plan.advanced_backup_settings = newer.advanced_backup_settings
    return ActionResult(plan.to_dict())


def delete_backup_plan(self: BackupResponse) -> Any:
    """Delete a plan without selections: "A backup plan can only be deleted after all associated selections of resources
    have been deleted."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteBackupPlan.html
    """
    if records_of(self).selections.get(path_parts(self)[2]):
        raise Refusal(
            "InvalidRequestException", "Related backup plan selections must be deleted prior to backup plan deletion"
        )
    return _delete_plan(self)


def create_backup_selection(self: BackupResponse) -> ActionResult:
    """Keep which resources a plan is for: "Creates a JSON document that specifies a set of resources to assign to a
    backup plan."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupSelection.html
    """
    plan, asked = _plan_of(self, path_parts(self)[2]), json.loads(self.body)
    selections = records_of(self).selections.setdefault(plan.backup_plan_id, {})
    name = asked["BackupSelection"]["SelectionName"]
    if any(one["BackupSelection"]["SelectionName"] == name for one in selections.values()):
        raise Refusal("AlreadyExistsException", f"Backup selection {name} already exists")
    selection = {
        "SelectionId": str(mock_random.uuid4()),
        "BackupPlanId": plan.backup_plan_id,
        "CreationDate": time.time(),
        "CreatorRequestId": asked.get("CreatorRequestId"),
        "BackupSelection": asked["BackupSelection"],
    }
    selections[selection["SelectionId"]] = selection
    return ActionResult({name: selection[name] for name in ("SelectionId", "BackupPlanId", "CreationDate")})


def get_backup_selection(self: BackupResponse) -> ActionResult:
    """Return which resources a plan is for: "Returns selection metadata and a document in JSON format that specifies a
    list of resources that are associated with a backup plan."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_GetBackupSelection.html
    """
    return ActionResult(_selection_of(self))


def list_backup_selections(self: BackupResponse) -> ActionResult:
    """Return the selections of a plan: "Returns an array containing metadata of the resources associated with the
    target backup plan."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListBackupSelections.html
    """
    plan = _plan_of(self, path_parts(self)[2])
    listed = [
        {**one, **{name: one["BackupSelection"].get(name) for name in ("SelectionName", "IamRoleArn")}}
        for one in records_of(self).selections.get(plan.backup_plan_id, {}).values()
    ]
    return page(self, "BackupSelectionsList", listed)


def delete_backup_selection(self: BackupResponse) -> EmptyResult:
    """Remove a selection: "Deletes the resource selection associated with a backup plan that is specified by the
    SelectionId."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteBackupSelection.html
    """
    selection = _selection_of(self)
    del records_of(self).selections[selection["BackupPlanId"]][selection["SelectionId"]]
    return EmptyResult()


def put_backup_vault_notifications(self: BackupResponse) -> EmptyResult:
    """Keep which events are told to whom, and tell nobody: "Turns on notifications on a backup vault for the specified
    topic and events."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_PutBackupVaultNotifications.html
    """
    vault, asked = _vault_of(self), json.loads(self.body)
    kept = {name: asked[name] for name in ("SNSTopicArn", "BackupVaultEvents")}
    records_of(self).notifications[vault.backup_vault_name] = kept
    return EmptyResult()


def get_backup_vault_notifications(self: BackupResponse) -> ActionResult:
    """Return which events are told to whom: "Returns event notifications for the specified backup vault."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_GetBackupVaultNotifications.html
    """
    return _kept_of_vault(self, records_of(self).notifications, "notifications")


def delete_backup_vault_notifications(self: BackupResponse) -> EmptyResult:
    """Let no events be told: "Deletes event notifications for the specified backup vault."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteBackupVaultNotifications.html
    """
    records_of(self).notifications.pop(_vault_of(self).backup_vault_name, None)
    return EmptyResult()


def put_backup_vault_access_policy(self: BackupResponse) -> EmptyResult:
    """Keep a policy, which nobody is asked by: "Sets a resource-based policy that is used to manage access
    permissions on the target backup vault."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_PutBackupVaultAccessPolicy.html
    """
    kept = {"Policy": json.loads(self.body)["Policy"]}
    records_of(self).policies[_vault_of(self).backup_vault_name] = kept
    return EmptyResult()


def get_backup_vault_access_policy(self: BackupResponse) -> ActionResult:
    """Return a vault's policy: "Returns the access policy document that is associated with the named backup vault."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_GetBackupVaultAccessPolicy.html
    """
    return _kept_of_vault(self, records_of(self).policies, "access policy")


def delete_backup_vault_access_policy(self: BackupResponse) -> EmptyResult:
    """Remove a vault's policy: "Deletes the policy document that manages permissions on a backup vault."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteBackupVaultAccessPolicy.html
    """
    records_of(self).policies.pop(_vault_of(self).backup_vault_name, None)
    return EmptyResult()


def delete_backup_vault(self: BackupResponse) -> Any:
    """Remove a vault with what belongs to it: "Deletes the backup vault identified by its name."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteBackupVault.html
    """
    vault, records = _vault_of(self), records_of(self)
    if backup_points.in_vault(self, vault.backup_vault_name):
        raise Refusal("InvalidRequestException", "Backup vault cannot be deleted because it contains recovery points.")
    for kept in (records.notifications, records.policies):
        kept.pop(vault.backup_vault_name, None)
    self.backup_backend.tagger.delete_all_tags_for_resource(vault.backup_vault_arn)
    return _delete_vault(self)


def list_tags(self: BackupResponse) -> ActionResult:
    """Return the tags of what an ARN names, with a slash behind it or not: "Returns the tags assigned to the resource,
    such as a target recovery point, backup plan, or backup vault."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListTags.html
    """
    arn = unquote(self.path.partition("/tags/")[2]).rstrip("/")
    return ActionResult({"Tags": self.backup_backend.list_tags(arn)})


def _plan_of(response: BackupResponse, plan_id: str) -> Plan:
    plan = response.backup_backend.get_backup_plan(plan_id, None)
    if plan.deletion_date is not None:
        raise Refusal("ResourceNotFoundException", f"Backup plan {plan_id} was deleted")
    return plan


def _selection_of(response: BackupResponse) -> dict[str, Any]:
    _, _, plan, _, selection = path_parts(response)[:5]
    found: dict[str, Any] | None = records_of(response).selections.get(plan, {}).get(selection)
    if found is None:
        raise Refusal("ResourceNotFoundException", "Cannot find Backup selection with specified selection ID")
    return found


def _vault_of(response: BackupResponse) -> Vault:
    name = path_parts(response)[1]
    vault = response.backup_backend.vaults.get(name)
    if vault is None:
        raise Refusal("ResourceNotFoundException", f"Backup vault {name} does not exist")
    return vault


def _kept_of_vault(response: BackupResponse, kept: dict[str, dict[str, Any]], what: str) -> ActionResult:
    vault = _vault_of(response)
    if vault.backup_vault_name not in kept:
        raise Refusal("ResourceNotFoundException", f"Backup vault {vault.backup_vault_name} has no {what}")
    about = {"BackupVaultName": vault.backup_vault_name, "BackupVaultArn": vault.backup_vault_arn}
    return ActionResult({**about, **kept[vault.backup_vault_name]})


def add() -> None:
    """Put ours in place of moto's, or beside them, at paths of their own."""
    for route in ROUTES:
        urls.url_paths["{0}" + route] = BackupResponse.dispatch
    backup_restore_testing.add()
    backup_points.add()
    backup_jobs.add()
    for operation in (
        create_backup_plan,
        update_backup_plan,
        delete_backup_plan,
        create_backup_selection,
        get_backup_selection,
        list_backup_selections,
        delete_backup_selection,
        put_backup_vault_notifications,
        get_backup_vault_notifications,
        delete_backup_vault_notifications,
        put_backup_vault_access_policy,
        get_backup_vault_access_policy,
        delete_backup_vault_access_policy,
        delete_backup_vault,
        list_tags,
    ):
        setattr(BackupResponse, operation.__name__, operation)
