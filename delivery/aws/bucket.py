"""Whether a bucket can be used, told before anything is kept in it."""

from typing import Any

from botocore.exceptions import ClientError

from delivery.aws.failures import action_of, aws_errors, code_of
from delivery.errors import Misconfigured


def check_bucket(client: Any, bucket: str, where: str) -> None:
    """Return when there is the bucket, in the client's region, and these credentials may list it.

    `where` is what names it. Misconfigured says what is wrong: HeadBucket answers with a status and no words
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html).
    """
    with aws_errors("s3"):
        try:
            client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if problem := _problem(error, bucket, client.meta.region_name):
                found, step = problem
                raise Misconfigured(f"{where}: bucket {bucket}", found, next_step=step) from error
            raise


def check_object_lock(client: Any, bucket: str, where: str) -> None:
    """Return when objects of the bucket can be locked; Misconfigured when they cannot.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLockConfiguration.html
    """
    with aws_errors("s3"):
        try:
            told = client.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
        except ClientError as error:
            if code_of(error) != "ObjectLockConfigurationNotFoundError":
                raise
            told = {}
    if told.get("ObjectLockEnabled") != "Enabled":
        raise Misconfigured(
            f"{where}: bucket {bucket}",
            "its objects cannot be locked",
            next_step=f"aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled && "
            f"aws s3api put-object-lock-configuration --bucket {bucket} "
            "--object-lock-configuration ObjectLockEnabled=Enabled",
        )


def _problem(error: ClientError, bucket: str, region: str) -> tuple[str, str] | None:
    """Return what is wrong with it and what to do; none when it is nothing of the bucket's."""
    match code_of(error):
        case "404" | "NoSuchBucket":
            return "there is none of that name", f"aws s3 mb s3://{bucket} --region {region}"
        case "301" | "PermanentRedirect":
            headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
            there = headers.get("x-amz-bucket-region", "its own region")
            return f"it is in {there}, and {region} is asked", f"set AWS_REGION to {there}"
        case "403" | "AccessDenied":
            allowed = action_of("s3", "HeadBucket")
            return (
                "it is another account's, or these credentials may not list it",
                f"name one of this account, or allow {allowed} on it",
            )
    return None
