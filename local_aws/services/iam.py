"""IAM: the policies that AWS manages are there."""

import os


def add() -> None:
    """Let moto have them in every account: "An AWS managed policy is a standalone policy that is created and
    administered by AWS."

    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html
    """
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
