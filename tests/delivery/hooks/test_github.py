"""Webhooks of GitHub: only who knows the secret is believed, and what is said is read as GitHub says it."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from delivery.hooks import github
from delivery.hooks.arrival import ZERO
from delivery.hooks.reading import object_of
from delivery.hooks.refusal import Refused
from tests.support.senders import OLD, SHA, pull_request, push, signed, workflow_run

SECRET = SecretStr("It's a Secret to Everybody")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = (
    "ref",
    "before",
    "after",
    "action",
    "number",
    "pull_request",
    "release",
    "workflow_run",
    "repository",
    "deleted",
)


def test_the_example_of_githubs_own_documentation_is_believed() -> None:
    given = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    github.check_signature(SECRET, b"Hello, World!", given)


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "sha256=",
        "sha1=757107ea0eb2509fc211221cce984b8a37570b6d",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e18",
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        "sha256=ü",
    ],
)
def test_a_signature_that_is_another_one_is_refused(forged: str) -> None:
    with pytest.raises(Refused) as refused:
        github.check_signature(SECRET, b"Hello, World!", forged)
    assert refused.value.status == 401


@given(body=st.binary(min_size=1, max_size=60), place=st.integers(0, 59))
def test_a_body_of_which_one_byte_was_changed_is_refused(body: bytes, place: int) -> None:
    _, headers = signed(SECRET.get_secret_value(), body)
    place %= len(body)
    changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
    with pytest.raises(Refused):
        github.check_signature(SECRET, changed, headers["x-hub-signature-256"])


def test_a_push_says_which_commit_a_branch_has_now() -> None:
    found = github.read("push", push())
    assert found is not None
    assert (found.kind, found.ref, found.sha, found.before) == ("push", "refs/heads/main", SHA, OLD)
    assert (found.repository, found.subject) == ("acme/shop", "Sell more")


def test_a_pushed_tag_is_a_tag_and_has_no_commit_before_it() -> None:
    found = github.read("push", push(ref="refs/tags/v1.2", before=ZERO, created=True))
    assert found is not None
    assert (found.kind, found.ref, found.before) == ("tag", "refs/tags/v1.2", "")


@pytest.mark.parametrize(
    ("event", "content"),
    [
        ("push", push(deleted=True, after=ZERO)),
        ("push", push(after=ZERO)),
        ("pull_request", pull_request(action="closed")),
        ("pull_request", pull_request(action="labeled")),
        ("release", {"action": "created", "release": {"tag_name": "v1"}, "repository": {"full_name": "acme/shop"}}),
        ("workflow_run", {**workflow_run(), "action": "requested"}),
        ("ping", {"zen": "Keep it logically awesome."}),
        ("star", {"action": "created"}),
    ],
)
def test_nothing_follows_from_what_brings_no_commit(event: str, content: dict[str, Any]) -> None:
    assert github.read(event, content) is None


@pytest.mark.parametrize(
    ("head", "is_fork"),
    [("acme/shop", False), ("eve/shop", True), (None, True)],
    ids=["own branch", "fork", "fork that was removed"],
)
def test_a_pull_request_is_of_a_fork_unless_it_is_known_to_be_ours(head: str | None, is_fork: bool) -> None:
    found = github.read("pull_request", pull_request(head))
    assert found is not None
    assert (found.pull_request, found.sha, found.ref, found.fork) == (7, SHA, "refs/heads/main", is_fork)


@pytest.mark.parametrize(
    ("more", "is_ours"),
    [
        ({}, True),
        ({"head_repository": {"full_name": "eve/shop"}}, False),
        ({"event": "pull_request"}, False),
        ({"head_repository": None}, False),
    ],
)
def test_a_workflow_of_a_forks_branch_called_main_is_not_one_of_ours(more: dict[str, Any], is_ours: bool) -> None:
    found = github.read("workflow_run", workflow_run(**more))
    assert found is not None
    assert (found.subject, found.action, found.fork) == ("CI", "success", not is_ours)


def test_a_release_names_its_tag() -> None:
    release = {"tag_name": "v1.2", "name": "Spring", "published_at": "2026-05-01T12:00:00Z", "draft": False}
    content = {"action": "published", "release": release, "repository": {"full_name": "acme/shop"}}
    found = github.read("release", content)
    assert found is not None
    assert (found.kind, found.ref, found.subject) == ("release", "refs/tags/v1.2", "Spring")


@pytest.mark.parametrize(
    "wrong",
    [
        {"ref": "refs/pull/7/head"},
        {"ref": "main"},
        {"ref": 7},
        {"after": "--upload-pack=evil"},
        {"before": "HEAD"},
        {"repository": "acme/shop"},
    ],
)
def test_a_push_that_github_would_not_send_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        github.read("push", push(**wrong))
    assert refused.value.status == 400


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"\xff", b"[" * 100_000, b"null"])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        object_of(body)


@given(
    event=st.sampled_from(["push", "pull_request", "release", "workflow_run"]),
    content=st.dictionaries(st.sampled_from(KEYS), ANYTHING),
)
def test_whatever_is_said_it_is_read_or_refused_and_nothing_else(event: str, content: dict[str, Any]) -> None:
    with suppress(Refused):
        github.read(event, content)
