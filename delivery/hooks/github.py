"""Webhooks of GitHub: whether one is signed with the secret, and what it says.

https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import SecretStr

from delivery.hooks.arrival import ZERO, Happening
from delivery.hooks.reading import below, moment, number, text
from delivery.hooks.refusal import Refused

_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF = re.compile(r"refs/(heads|tags)/\S+")


def check_signature(secret: SecretStr, body: bytes, given: str) -> None:
    """Return when the body was signed with the secret; Refused otherwise, after the same time whatever differs."""
    mac = hmac.new(secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(f"sha256={mac}".encode(), given.encode("utf-8", errors="replace")):
        raise Refused(401, "the signature is not that of this connection")


def read(event: str, content: dict[str, Any]) -> Happening | None:
    """Return what an event says, none where nothing follows from it; Refused when it is not as GitHub sends it."""
    reader = _READERS.get(event)
    found = reader(content) if reader else None
    return found.model_copy(update={"sender": text(below(content, "sender"), "login")}) if found else None


def _push(content: dict[str, Any]) -> Happening | None:
    ref, sha, before = text(content, "ref", needed=True), text(content, "after", needed=True), text(content, "before")
    if not _REF.fullmatch(ref):
        raise Refused(400, "ref is no branch and no tag")
    if content.get("deleted") is True or set(sha) == set(ZERO):
        return None
    return Happening(
        kind="tag" if ref.startswith("refs/tags/") else "push",
        repository=_name(content),
        ref=ref,
        sha=_hash(sha),
        before="" if set(before) <= set(ZERO) else _hash(before),
        action="forced" if content.get("forced") is True else "created" if content.get("created") is True else "",
        subject=text(below(content, "head_commit"), "message").partition("\n")[0],
        at=moment(below(content, "head_commit"), "timestamp"),
    )


def _pull_request(content: dict[str, Any]) -> Happening | None:
    action, pull = text(content, "action", needed=True), below(content, "pull_request")
    if action not in ("opened", "synchronize", "reopened", "ready_for_review"):
        return None
    theirs, ours = below(pull, "head", "repo"), below(pull, "base", "repo")
    return Happening(
        kind="pull-request",
        repository=_name(content),
        ref=f"refs/heads/{text(below(pull, 'base'), 'ref', needed=True)}",
        sha=_hash(text(below(pull, "head"), "sha", needed=True)),
        pull_request=number(content, "number"),
        # A fork that was removed is null: what is not known to be ours is a fork.
        fork=text(theirs, "full_name") != text(ours, "full_name", needed=True),
        action=action,
        subject=text(pull, "title"),
        at=moment(pull, "updated_at"),
    )


def _release(content: dict[str, Any]) -> Happening | None:
    action, release = text(content, "action", needed=True), below(content, "release")
    if action != "published" or release.get("draft") is True:
        return None
    return Happening(
        kind="release",
        repository=_name(content),
        ref=f"refs/tags/{text(release, 'tag_name', needed=True)}",
        action=action,
        subject=text(release, "name"),
        at=moment(release, "published_at"),
    )


def _workflow_run(content: dict[str, Any]) -> Happening | None:
    action, run = text(content, "action", needed=True), below(content, "workflow_run")
    if action != "completed":
        return None
    return Happening(
        kind="workflow-run",
        repository=_name(content),
        ref=f"refs/heads/{text(run, 'head_branch', needed=True)}",
        sha=_hash(text(run, "head_sha", needed=True)),
        # A fork's branch may be called like one of ours.
        fork=text(below(run, "head_repository"), "full_name") != _name(content) or text(run, "event") != "push",
        action=text(run, "conclusion"),
        subject=text(run, "name"),
        at=moment(run, "updated_at"),
    )


def _name(content: dict[str, Any]) -> str:
    return text(below(content, "repository"), "full_name", needed=True)


def _hash(found: str) -> str:
    if not _HASH.fullmatch(found):
        raise Refused(400, "a commit is no hash")
    return found


_READERS: Mapping[str, Callable[[dict[str, Any]], Happening | None]] = {
    "push": _push,
    "pull_request": _pull_request,
    "release": _release,
    "workflow_run": _workflow_run,
}
