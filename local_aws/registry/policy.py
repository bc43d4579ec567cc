"""Whether the policy of a repository lets another account do something."""

import json
from fnmatch import fnmatchcase
from typing import Any

from local_aws.registry.tokens import Principal


def allows(policy: str | None, principal: Principal, action: str) -> bool:
    """Whether a statement allows it and none denies it: "An explicit deny overrides an explicit allow."

    Principal (AWS) and Action are looked at. A Condition cannot be: a statement with one allows nothing.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
    """
    matching = [
        one
        for one in _list(json.loads(policy).get("Statement", []) if policy else [])
        if _names(one.get("Principal"), principal) and _covers(one, action)
    ]
    effects = {one.get("Effect") for one in matching if one.get("Effect") == "Deny" or not one.get("Condition")}
    return effects == {"Allow"}


def _covers(statement: dict[str, Any], action: str) -> bool:
    if "NotAction" in statement:
        return not any(_is_like(action, one) for one in _list(statement["NotAction"]))
    return any(_is_like(action, one) for one in _list(statement.get("Action", [])))


def _is_like(action: str, pattern: str) -> bool:
    return fnmatchcase(action.lower(), pattern.lower())


def _names(named: Any, principal: Principal) -> bool:
    """Whether a Principal is meant: "*", an account as its number or ARN, or one of the ARNs of who asks.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    if named == "*":
        return True
    listed = _list(named.get("AWS", [])) if isinstance(named, dict) else []
    root = f":iam::{principal.account}:root"
    return any(one in ("*", principal.account, *principal.arns) or one.endswith(root) for one in listed)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
