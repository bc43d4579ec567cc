"""The bucket for Terraform's state by CloudFormation: linted, and made on a local AWS.

A bucket is made there without its properties.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.stacks import AWS

TEMPLATE = AWS / "bootstrap" / "state.yaml"
LINT = Path(sys.executable).with_name("cfn-lint")


def test_the_template_is_clean():
    done = subprocess.run([LINT, TEMPLATE], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.xdist_group("local-aws")
@pytest.mark.parametrize("table", ["", "team-terraform-locks"])
def test_a_bucket_for_state_is_made_with_a_table_for_locks_only_where_one_is_named(table, aws):
    client, bucket = aws.client("cloudformation"), f"team-state-{len(table)}"
    parameters = {"Bucket": bucket, "LockTable": table}
    client.create_stack(
        StackName=bucket,
        TemplateBody=TEMPLATE.read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    client.get_waiter("stack_create_complete").wait(StackName=bucket)

    [stack] = client.describe_stacks(StackName=bucket)["Stacks"]
    assert [one["OutputValue"] for one in stack["Outputs"]] == [bucket]
    assert bucket in [one["Name"] for one in aws.client("s3").list_buckets()["Buckets"]]
    assert ("team-terraform-locks" in aws.client("dynamodb").list_tables()["TableNames"]) is bool(table)
