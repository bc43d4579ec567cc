"""What the registry says when it refuses, in the words of the protocol, and of ECR.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
"""

import json

from local_aws.installation import current

Answer = tuple[str, list[tuple[str, str]], bytes]
VERSION = ("Docker-Distribution-Api-Version", "registry/2.0")


class Refused(Exception):
    """A request is not done; `answer` says why."""

    def __init__(self, status: str, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    @property
    def answer(self) -> Answer:
        """What is told."""
        return said(self.status, self.code, self.message)


def said(status: str, code: str, message: str) -> Answer:
    """Return an error as clients of registries read it."""
    content = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return status, [("Content-Type", "application/json"), VERSION], content


def unauthorized() -> Answer:
    """Return what asks for a name and a password."""
    challenge = f'Basic realm="{current().url}/",service="ecr"'
    status, headers, content = said("401 Unauthorized", "UNAUTHORIZED", "Not Authorized")
    return status, [*headers, ("WWW-Authenticate", challenge)], content


def no_repository(name: str, account: str) -> Refused:
    """Return the error for a repository that is not there."""
    message = f"The repository with name '{name}' does not exist in the registry with id '{account}'"
    return Refused("404 Not Found", "NAME_UNKNOWN", message)


def no_image() -> Refused:
    """Return the error for an image that is not there."""
    return Refused("404 Not Found", "MANIFEST_UNKNOWN", "Requested image not found")


def denied(arn: str, action: str, resource: str) -> Refused:
    """Return the error for what a policy does not allow."""
    message = f"User: {arn} is not authorized to perform: {action} on resource: {resource}"
    return Refused("403 Forbidden", "DENIED", message)
