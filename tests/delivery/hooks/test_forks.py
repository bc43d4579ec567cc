"""What a commit of a fork must not have, by its own headway.yaml."""

import pytest

from delivery.hooks.forks import images_of_others, without_reach
from delivery.spec.app import App
from delivery.spec.named_images import foreign_image_keys
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
        "environments": {
            "production": {
                "secrets": {"A": "a-secret"},
                "checks": [{"at": "before", "command": {"image": "registry.example/team/check"}}],
            }
        },
    }
)


def test_a_fork_is_left_with_no_name_of_a_secret() -> None:
    app, told = without_reach(APP)
    assert len(named_secrets(APP)) >= 8
    assert named_secrets(app) == {}
    assert list(app.services["api"].secrets) == ["KEY"]
    assert list(app.suites) == ["unit", "built"]
    assert foreign_image_keys(app) == []
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
        "a1",
        "docker.io/library/headway-1a2b3c-held:run.web",
        "index.docker.io/library/headway-1a2b3c-held:run.web",
        "docker.io/headway-1a2b3c-held:run.web",
        "library/headway-1a2b3c-held:run.web",
        "docker.io/headway-base/node:22",
        "REGISTRY.example/team/other/web",
        "registry.example:443/team/other/web",
        "registry.example:0443/team/other/web",
        "127.1:5000/other/web",
        "2130706433:5000/other/web",
        "[::ffff:127.0.0.1]:5000/other/web",
        "ip6-localhost:5000/other/web",
    ],
)
def test_an_image_that_only_this_platform_can_have_is_known(name: str) -> None:
    assert images_of_others([name], ["registry.example/team"]) == [name]


@pytest.mark.parametrize("name", ["this-machine.example:5000/other/web", "localtest.example:05000/other/web"])
def test_a_registry_of_this_machine_is_known_by_its_port_under_any_name(name: str) -> None:
    assert images_of_others([name], ["127.0.0.1:5000"]) == [name]
    assert images_of_others(["other.example:5001/web", "busybox"], ["127.0.0.1:5000", "localhost", ""]) == []


@pytest.mark.parametrize("name", ["acme/web:1", "docker.io/acme/web:1", "registry-1.docker.io/acme/web:1"])
def test_a_registry_of_the_hub_is_known_by_each_of_its_names(name: str) -> None:
    assert images_of_others([name], ["docker.io/acme"]) == [name]
    assert images_of_others([name], ["acme"]) == [name]
    assert images_of_others([name], ["docker.io/acm"]) == []


@pytest.mark.parametrize(
    "name",
    [
        "python:3.12-slim",
        "busybox",
        "ghcr.io/acme/base:1",
        "registry.example/public/base",
        "registry.example:8443/team/base",
        "acme/feed:1",
        "acme/headway-tools",
        "scratch",
        "added:1",
        "host:" + "9" * 5000 + "/web",
    ],
)
def test_an_image_that_anybody_can_have_is_not_kept_from_a_fork(name: str) -> None:
    assert images_of_others([name], ["registry.example/team"]) == []
