"""What a commit of a fork must not have, by its own headway.yaml."""

import pytest

from delivery.hooks.forks import images_of_others, without_reach
from delivery.spec.app import App
from delivery.spec.secret_blocks import named_secrets

APP = App.model_validate(
    {
        "app": "shop",
        "images": {"web": {"build_secrets": {"npm": "npm-token"}}, "api": {}},
        "services": {"api": {"port": 80, "secrets": {"KEY": "api-key"}}},
        "hooks": {"before_release": [{"image": "api", "secrets": {"KEY": "hook-key"}}]},
        "repository": {"url": "https://git.example/shop.git", "token": "git-token"},
        "suites": {
            "unit": {"image": "api"},
            "pay": {"image": "api", "secrets": {"KEY": "stripe", "ID": "stripe-id"}},
            "whole": {"compose": "compose.yaml", "compose_service": "tests"},
            "built": {"build": {"build_secrets": {"pip": "pip-token"}}},
        },
        "environments": {"production": {"secrets": {"A": "a-secret"}}},
    }
)


def test_a_fork_is_left_with_no_name_of_a_secret() -> None:
    app, told = without_reach(APP)
    assert len(named_secrets(APP)) >= 8
    assert named_secrets(app) == {}
    assert list(app.services["api"].secrets) == ["KEY"]
    assert list(app.suites) == ["unit", "built"]
    assert told == (
        "suite pay: it needs ID, KEY",
        "suite whole: it brings a Compose file",
        "build secret npm of images.web",
        "build secret pip of suites.built.build",
    )


@pytest.mark.parametrize(
    "name",
    [
        "127.0.0.1:5000/other/web:latest",
        "127.0.0.1:5000/other/web@sha256:" + "a" * 64,
        "localhost:5000/other/web",
        "LOCALHOST/other/web",
        "[::1]:5000/other/web",
        "0.0.0.0:5000/other/web",
        "registry.example/team/other/web",
        "headway-1a2b3c-held:run.web",
        "headway-base/node:22",
        "sha256:" + "a" * 64,
        "a1b2c3d4e5f6",
    ],
)
def test_an_image_that_only_this_platform_can_have_is_known(name: str) -> None:
    assert images_of_others([name], ["registry.example/team"]) == [name]


@pytest.mark.parametrize(
    "name",
    ["python:3.12-slim", "busybox", "ghcr.io/acme/base:1", "registry.example/public/base", "acme/feed:1", "scratch"],
)
def test_an_image_that_anybody_can_have_is_not_kept_from_a_fork(name: str) -> None:
    assert images_of_others([name], ["registry.example/team"]) == []
