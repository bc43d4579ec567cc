"""The bucket for the state of Terraform's stacks, made by CloudFormation because there is no state before it."""

from botocore.exceptions import ClientError, WaiterError

from delivery.aws.access import AwsAccess
from delivery.aws.failures import aws_errors, code_of
from delivery.errors import Rejected
from delivery.package_data import package_data

TEMPLATE = "aws/bootstrap/state.yaml"


def make_state_bucket(access: AwsAccess, bucket: str) -> bool:
    """Make sure there is the bucket, and return whether it was made now; one that is there stays as it is."""
    with aws_errors("s3"):
        try:
            access.client("s3").head_bucket(Bucket=bucket)
        except ClientError as error:
            if code_of(error) not in ("404", "NoSuchBucket"):
                raise
        else:
            return False
    client = access.client("cloudformation")
    with aws_errors("cloudformation"):
        client.create_stack(
            StackName=bucket.replace(".", "-"),
            TemplateBody=package_data(TEMPLATE).read_text(),
            Parameters=[{"ParameterKey": "Bucket", "ParameterValue": bucket}],
        )
        try:
            client.get_waiter("stack_create_complete").wait(
                StackName=bucket.replace(".", "-"), WaiterConfig={"Delay": 2, "MaxAttempts": 150}
            )
        except WaiterError as error:
            raise Rejected(f"bucket {bucket} was not made by CloudFormation: {error}") from error
    return True
