"""What a fork's commit is refused for before anything of it is built: images of others, under any name."""

import pytest

from delivery.errors import Rejected
from delivery.hooks.forks import without_reach
from delivery.ports.registry import Registry
from delivery.spec.app import App
from tasks import examination
from tests.flows.platform import APP

OTHERS = "127.0.0.1:5000/other/web:1a2b3c4"


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Check a fork's commit with these keys in its headway.yaml, and this Dockerfile."""
    monkeypatch.setattr(examination, "current_registry", lambda: Registry.at("127.0.0.1:5000"))

    def checked(dockerfile="FROM scratch\n", **more):
        (tmp_path / "Dockerfile").write_text(dockerfile)
        app, _ = without_reach(App.model_validate(APP | more))
        examination.check_images(app, tmp_path)

    return checked


@pytest.mark.parametrize(
    ("key", "more"),
    [
        (
            "services.spy.image",
            {
                "services": {"web": {"port": 8000}, "spy": {"image": OTHERS}},
                "suites": {"unit": {"image": "web", "services": ["spy"]}},
            },
        ),
        (
            "services.spy.image",
            {
                "services": {"web": {"port": 8000, "needs": ["spy"]}, "spy": {"image": OTHERS}},
                "suites": {"unit": {"image": "web", "services": ["web"]}},
            },
        ),
        ("backing.spy.image", {"backing": {"spy": {"image": OTHERS}}}),
        ("database.image", {"database": {"image": OTHERS}}),
        ("database.migrate.image", {"database": {"migrate": {"image": OTHERS}}}),
        ("suites.unit.image", {"suites": {"unit": {"image": "${of}/web", "axes": {"of": ["127.0.0.1:5000/other"]}}}}),
    ],
)
def test_a_fork_runs_no_image_of_this_platform_wherever_its_file_names_it(check, key, more):
    with pytest.raises(Rejected, match=rf"^{key}: 127\.0\.0\.1:5000/other/web\S* is an image of this platform"):
        check(**more)


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM headway-1a2b AS headway-1a2b\n",
        "FROM docker.io/library/headway-1a2b\n",
        "FROM scratch\nCOPY --from=headway-1a2b / /\nFROM scratch AS headway-1a2b\n",
        "FROM scratch AS headway-1a2b\nCOPY --from=headway-1a2b / /\n",
        "FROM scratch AS a\nONBUILD COPY --from=headway-1a2b / /\nFROM a AS headway-1a2b\n",
        "FROM scratch\nCOPY --from=1234 / /\n",
    ],
)
def test_no_name_of_a_stage_hides_an_image_of_this_platform(check, dockerfile):
    with pytest.raises(Rejected, match="is an image of this platform"):
        check(dockerfile)


@pytest.mark.parametrize(
    ("dockerfile", "build_args"),
    [
        ("// syntax=evil/frontend\nFROM scratch\n", {}),
        ("#!/usr/bin/env build\n# SYNTAX = evil/frontend\nFROM scratch\n", {}),
        ("\ufeff#syntax=evil/frontend\nFROM scratch\n", {}),
        ('{"syntax": "evil/frontend"}\n', {}),
        ("FROM scratch\n", {"BUILDKIT_SYNTAX": "evil/frontend"}),
    ],
)
def test_a_forks_dockerfile_is_read_by_no_program_of_its_own(check, dockerfile, build_args):
    with pytest.raises(Rejected, match="of a fork's commit is not built"):
        check(dockerfile, images={"web": {"build_args": build_args}})


def test_a_fork_builds_from_its_own_stages_and_from_images_of_everybody(check):
    check(
        "ARG NODE=node:22\nFROM $NODE AS headway-tools\nFROM headway-tools AS web\nCOPY --from=headway-tools / /\n"
        "COPY --from=0 / /\nRUN --mount=from=busybox:1.36,target=/x true\n",
        services={"web": {"port": 8000}, "mail": {"image": "corp/mail:1"}},
        backing={"cache": {"image": "redis:7"}},
    )
