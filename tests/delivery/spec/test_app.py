"""What headway.yaml means when little stands in it."""

from pathlib import Path

import pytest

from delivery.spec.app import App
from delivery.spec.configuration import load_app_text
from tests.delivery.values import make_app

SMALL = """\
app: hello
images: {web: {}}
services: {web: {port: 8000}}
environments: {production: {}}
"""


def test_four_lines_are_a_whole_file() -> None:
    app = load_app_text(SMALL)
    web, production = app.services["web"], app.environments["production"]
    assert (web.instances, web.health, app.service_image("web")) == (1, None, "web")
    assert (production.target.kind, production.after, production.approval.by) == ("docker", None, "nobody")
    assert [step.percent for step in production.shift.steps] == [100]
    assert (app.scan.block, app.scan.when_inconclusive) == (("CRITICAL", "HIGH"), "block")


def test_a_target_is_a_docker_host_unless_another_is_said() -> None:
    app = make_app(environments={"a": {}, "b": {"target": {"port": 80}}, "c": {"target": {"kind": "memory"}}})
    assert [environment.target.kind for environment in app.environments.values()] == ["docker", "docker", "memory"]


def test_an_approval_that_is_written_down_asks_a_person() -> None:
    app = make_app(environments={"production": {"approval": {"timeout_seconds": 60}}})
    assert app.environments["production"].approval.by == "person"


def test_a_service_may_run_any_image() -> None:
    services = {"web": {"port": 1}, "worker": {"image": "web"}, "proxy": {"image": "nginx:1"}}
    app = make_app(services=services)
    assert [app.service_image(name) for name in services] == ["web", "web", "nginx:1"]


@pytest.mark.parametrize(
    ("services", "routes"),
    [
        ({"web": {"port": 1}}, {"/": "web"}),
        ({"web": {"port": 1}, "worker": {"image": "web"}}, {"/": "web"}),
        ({"web": {"port": 1, "routes": ["/shop"]}}, {"/shop": "web"}),
        (
            {"web": {"port": 1, "routes": ["/"]}, "api": {"image": "web", "port": 2, "routes": ["/a", "/b"]}},
            {"/": "web", "/a": "api", "/b": "api"},
        ),
    ],
)
def test_requests_are_routed_by_prefix(services: dict[str, object], routes: dict[str, str]) -> None:
    assert make_app(services=services).routes() == routes


def test_everything_starts_after_what_it_needs() -> None:
    app = make_app(
        services={"web": {"port": 1, "needs": ["api"]}, "api": {"image": "web", "needs": ["cache", "queue"]}},
        backing={"queue": {"image": "nats", "needs": ["cache"]}, "cache": {"image": "redis"}},
    )
    assert app.start_order() == ["cache", "queue", "api", "web"]


def test_a_file_is_kept_and_read_back_as_it_was() -> None:
    app = load_app_text((Path(__file__).parents[3] / "examples" / "taskmanager" / "headway.yaml").read_text())
    assert App.model_validate_json(app.model_dump_json()) == app
