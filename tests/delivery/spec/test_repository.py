"""The key `repository`: what is taken, and what is refused with its reason."""

from typing import Any

import pytest

from delivery.errors import Misconfigured
from delivery.spec.configuration import load_app_text
from delivery.spec.repository import matches

FILE = "app: shop\nimages: {web: {}}\nenvironments: {staging: {}, production: {}}\nrepository: "


def read(text: str) -> Any:
    return load_app_text(FILE + text).repository


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{url: https://git.example/acme/shop.git, token: shop-token}",
        "{url: 'git@git.example:acme/shop.git', deploy_key: shop-key}",
        "{url: 'ssh://git@git.example:2222/acme/shop.git', deploy_key: shop-key}",
        "{branches: {main: staging, 'release/**': production}, tags: {'v*': production}}",
        "{paths: ['src/**'], paths_ignore: ['**/*.md'], pull_requests: all, after_workflow: CI}",
    ],
)
def test_what_people_write_is_taken(text: str) -> None:
    assert read(text) is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{url: https://kim:secret@git.example/shop.git}", "holds a user or a password"),
        ("{url: https://token@git.example/shop.git}", "holds a user or a password"),
        ("{url: ../shop}", "allowed: an address like"),
        ("{url: 'ext::sh -c evil'}", "allowed: an address like"),
        ("{url: '--upload-pack=evil'}", "allowed: an address like"),
        ("{url: https://git.example/shop.git, deploy_key: k}", "deploy_key: needs a url of SSH"),
        ("{url: 'git@git.example:shop.git', token: t}", "token: needs a url that begins with https"),
        ("{deploy_key: k}", "deploy_key: needs a url of SSH"),
        ("{url: https://git.example/shop.git, token: t, deploy_key: k}", "there is a deploy_key already"),
        ("{branches: {main: nowhere}}", "repository.branches.main: no such name (found nowhere)"),
        ("{tags: {'v*': nowhere}}", "repository.tags.v*: no such name (found nowhere)"),
        ("{paths: [/src]}", "a pattern like main"),
        ("{paths_ignore: ['../other/**']}", "a pattern like main"),
        ("{pull_requests: some}", "repository.pull_requests: found 'some'; allowed: none, own or all"),
        ("{branchs: {main: staging}}", "did you mean branches?"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        read(text)
    assert reason in str(refused.value)
    assert "secret@" not in str(refused.value)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("main", "main", True),
        ("main", "maintenance", False),
        ("release/*", "release/1", True),
        ("release/*", "release/1/hot", False),
        ("release/**", "release/1/hot", True),
        ("v?.*", "v1.2", True),
        ("v1.2", "v1x2", False),
        ("**/*.md", "README.md", True),
        ("**/*.md", "docs/deep/a.md", True),
        ("*.md", "docs/a.md", False),
    ],
)
def test_a_star_crosses_no_folder_and_two_do(pattern: str, name: str, fits: bool) -> None:
    assert matches(pattern, name) is fits
