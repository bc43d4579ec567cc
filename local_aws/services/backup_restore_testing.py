"""AWS Backup's restore testing: plans and their selections are kept; nothing is restored by itself."""

import json
import re
import time
from typing import Any

from moto.backup.responses import BackupResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.moto_api._internal import mock_random

from local_aws.services.backup_records import page, path_parts, records_of
from local_aws.services.errors import Refusal

_NAME = re.compile(r"[A-Za-z0-9_]{1,50}")
PLAN, SELECTION = "RestoreTestingPlanName", "RestoreTestingSelectionName"


def create_restore_testing_plan(self: BackupResponse) -> ActionResult:
    """Keep a plan: "Creates a restore testing plan. The first of two steps to create a restore testing plan."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateRestoreTestingPlan.html
    """
    asked, plans = json.loads(self.body), records_of(self).testing_plans
    given = asked["RestoreTestingPlan"]
    name = _checked(given[PLAN], plans, "Restore testing plan")
    backend = self.backup_backend
    arn = f"arn:{backend.partition}:backup:{self.region}:{self.current_account}"
    arn += f":restore-testing-plan:{name}-{mock_random.uuid4()}"
    plans[name] = {
        "ScheduleExpressionTimezone": "Etc/UTC",
        "StartWindowHours": 24,
        **given,
        "RecoveryPointSelection": _with_defaults(given["RecoveryPointSelection"]),
        "RestoreTestingPlanArn": arn,
        "CreationTime": time.time(),
        "CreatorRequestId": asked.get("CreatorRequestId"),
    }
    backend.tag_resource(arn, asked.get("Tags") or {})
    return ActionResult(_picked(plans[name], "CreationTime", "RestoreTestingPlanArn", PLAN))


def get_restore_testing_plan(self: BackupResponse) -> ActionResult:
    """Return a plan: "Returns RestoreTestingPlan details for the specified RestoreTestingPlanName."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_GetRestoreTestingPlan.html
    """
    return ActionResult({"RestoreTestingPlan": _plan_of(self)})


def list_restore_testing_plans(self: BackupResponse) -> ActionResult:
    """Return the plans: "Returns a list of restore testing plans."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRestoreTestingPlans.html
    """
    return page(self, "RestoreTestingPlans", list(records_of(self).testing_plans.values()))


def update_restore_testing_plan(self: BackupResponse) -> ActionResult:
    """Change a plan: "This request will send changes to your specified restore testing plan."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_UpdateRestoreTestingPlan.html
    """
    plan, given = _plan_of(self), json.loads(self.body)["RestoreTestingPlan"]
    if "RecoveryPointSelection" in given:
        given["RecoveryPointSelection"] = _with_defaults(given["RecoveryPointSelection"])
    plan |= {**given, "LastUpdateTime": time.time()}
    told = _picked(plan, "CreationTime", "RestoreTestingPlanArn", PLAN)
    return ActionResult({**told, "UpdateTime": plan["LastUpdateTime"]})


def delete_restore_testing_plan(self: BackupResponse) -> EmptyResult:
    """Remove a plan: "Deletion can only successfully occur if all associated restore testing selections are deleted
    first."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteRestoreTestingPlan.html
    """
    records, name = records_of(self), path_parts(self)[2]
    if records.testing_selections.get(name):
        raise Refusal("InvalidRequestException", f"Restore testing plan {name} has selections")
    if plan := records.testing_plans.pop(name, None):
        self.backup_backend.tagger.delete_all_tags_for_resource(plan["RestoreTestingPlanArn"])
    return EmptyResult()


def create_restore_testing_selection(self: BackupResponse) -> ActionResult:
    """Keep what a plan restores: "This request can be sent after CreateRestoreTestingPlan request returns successfully.
    This is the second part of creating a resource testing plan, and it must be completed sequentially."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateRestoreTestingSelection.html
    """
    plan, asked = _plan_of(self), json.loads(self.body)
    selections = records_of(self).testing_selections.setdefault(plan[PLAN], {})
    given = asked["RestoreTestingSelection"]
    name = _checked(given[SELECTION], selections, "Restore testing selection")
    selections[name] = {
        "ValidationWindowHours": 0,
        **given,
        PLAN: plan[PLAN],
        "CreationTime": time.time(),
        "CreatorRequestId": asked.get("CreatorRequestId"),
    }
    return ActionResult(_told_of_change(plan, selections[name]))


def get_restore_testing_selection(self: BackupResponse) -> ActionResult:
    """Return what a plan restores: "Returns RestoreTestingSelection, which displays resources and elements of the
    restore testing plan."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_GetRestoreTestingSelection.html
    """
    return ActionResult({"RestoreTestingSelection": _selection_of(self)})


def list_restore_testing_selections(self: BackupResponse) -> ActionResult:
    """Return the selections of a plan: "Returns a list of restore testing selections."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRestoreTestingSelections.html
    """
    plan = _plan_of(self)
    return page(
        self, "RestoreTestingSelections", list(records_of(self).testing_selections.get(plan[PLAN], {}).values())
    )


def update_restore_testing_selection(self: BackupResponse) -> ActionResult:
    """Change what a plan restores: "Most elements except the RestoreTestingSelectionName can be updated with this
    request."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_UpdateRestoreTestingSelection.html
    """
    plan, selection = _plan_of(self), _selection_of(self)
    selection |= json.loads(self.body)["RestoreTestingSelection"]
    return ActionResult({**_told_of_change(plan, selection), "UpdateTime": time.time()})


def delete_restore_testing_selection(self: BackupResponse) -> EmptyResult:
    """Remove a selection: "All testing selections associated with a restore testing plan must be deleted before the
    restore testing plan can be deleted."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteRestoreTestingSelection.html
    """
    selection = _selection_of(self)
    del records_of(self).testing_selections[selection[PLAN]][selection[SELECTION]]
    return EmptyResult()


def _plan_of(response: BackupResponse) -> dict[str, Any]:
    name = path_parts(response)[2]
    plan: dict[str, Any] | None = records_of(response).testing_plans.get(name)
    if plan is None:
        raise Refusal("ResourceNotFoundException", f"Restore testing plan {name} does not exist")
    return plan


def _selection_of(response: BackupResponse) -> dict[str, Any]:
    plan, name = _plan_of(response), path_parts(response)[4]
    found: dict[str, Any] | None = records_of(response).testing_selections.get(plan[PLAN], {}).get(name)
    if found is None:
        raise Refusal("ResourceNotFoundException", f"Restore testing selection {name} does not exist")
    return found


def _checked(name: str, taken: dict[str, dict[str, Any]], what: str) -> str:
    """Return a name that can be given: "The name consists of only alphanumeric characters and underscores. Maximum
    length is 50."

    https://docs.aws.amazon.com/aws-backup/latest/devguide/API_RestoreTestingSelectionForCreate.html
    """
    if not _NAME.fullmatch(name):
        raise Refusal("InvalidParameterValueException", f"{what} name {name} is not 1 to 50 of A-Z, a-z, 0-9 and _")
    if name in taken:
        raise Refusal("AlreadyExistsException", f"{what} {name} already exists")
    return name


def _with_defaults(selection: dict[str, Any]) -> dict[str, Any]:
    return {"ExcludeVaults": [], "SelectionWindowDays": 30, **selection}


def _told_of_change(plan: dict[str, Any], selection: dict[str, Any]) -> dict[str, Any]:
    return _picked(plan, "RestoreTestingPlanArn") | _picked(selection, "CreationTime", PLAN, SELECTION)


def _picked(record: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: record[name] for name in names}


def add() -> None:
    """Put them beside moto's."""
    for operation in (
        create_restore_testing_plan,
        get_restore_testing_plan,
        list_restore_testing_plans,
        update_restore_testing_plan,
        delete_restore_testing_plan,
        create_restore_testing_selection,
        get_restore_testing_selection,
        list_restore_testing_selections,
        update_restore_testing_selection,
        delete_restore_testing_selection,
    ):
        setattr(BackupResponse, operation.__name__, operation)
