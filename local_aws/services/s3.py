"""S3: what is put is kept as it came, rules of replication are told whole, conditions of policies keep nobody away."""

import json
from io import BytesIO
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.s3.exceptions import ReplicationConfigurationNotFoundError
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response
from werkzeug.datastructures import ImmutableMultiDict

_setup_class = S3Response.setup_class


def setup_class(self: S3Response, request: Any, full_url: str | None = None, headers: Any = None) -> None:
    """Take the body of a PUT for the object's data: "Content-Type: A standard MIME type describing the format of the
    contents." moto reads a form out of what urllib and curl call one by themselves, and keeps nothing.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
    """
    if request.method == "PUT":
        request.get_data(cache=True)
        request.__dict__ |= {"form": ImmutableMultiDict(), "files": ImmutableMultiDict()}
    _setup_class(self, request, full_url, headers)


def look_at_body(_: DomainDispatcherApplication, environ: dict[str, Any]) -> str | None:
    """Return a form without taking it away: moto asks it for the service, and loses one that is no text."""
    if not str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
        return None
    content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(content)
    return content.decode(errors="replace") or None


def get_bucket_replication(self: S3Response) -> Any:
    """Return the rules of a bucket as they were given; nothing is replicated: "Returns the replication configuration of
    a bucket."

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketReplication.html
    """
    self.data["Action"] = "GetBucketReplication"
    kept = self.backend.get_bucket_replication(self.bucket_name)
    if not kept:
        raise ReplicationConfigurationNotFoundError(bucket_name=self.bucket_name)
    told = {"Role": kept["Role"], "Rules": [_rule(one) for one in kept["Rule"]]}
    return self.serialized(ActionResult({"ReplicationConfiguration": told}))


def _rule(given: dict[str, Any]) -> dict[str, Any]:
    """Return a rule: "If you specify a Filter in your replication configuration, you must also include a
    DeleteMarkerReplication element."

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteMarkerReplication.html
    """
    if "Filter" not in given:
        return {"Prefix": "", **given}
    only = dict(given["Filter"] or {"Prefix": ""})
    if "Prefix" in only:
        only["Prefix"] = only["Prefix"] or ""
    if both := only.pop("And", None):
        tags = both.get("Tag", [])
        only = {"And": {"Prefix": both.get("Prefix") or "", "Tags": tags if isinstance(tags, list) else [tags]}}
    return {**given, "Filter": only}


def get_permission(self: FakeBucket, action: str, resource: str) -> Any:
    """Return what a bucket's policy says without its statements with conditions: what is asked of the local AWS counts
    as asked over TLS, and no other condition is known here.

    "When a request is made, AWS evaluates the values in the request context": a statement whose condition does not hold
    says nothing. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html
    """
    if self.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(self.policy)
    said = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    always = [one for one in said if "Condition" not in one]
    if not always:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps({**policy, "Statement": always})).is_action_permitted(action, resource)


def add() -> None:
    """Put ours in place of moto's."""
    FakeBucket.get_permission = get_permission  # type: ignore[method-assign]
    S3Response.get_bucket_replication = get_bucket_replication  # type: ignore[method-assign]
    S3Response.setup_class = setup_class  # type: ignore[method-assign]
    DomainDispatcherApplication._get_body = look_at_body  # type: ignore[method-assign,assignment]
