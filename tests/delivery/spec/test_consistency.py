"""What the parts of headway.yaml say of each other must fit together."""

from typing import Any

import pytest
from pydantic import ValidationError

from delivery.spec.app import App

WEB_AND_API = {"web": {"port": 8000, "routes": ["/"]}, "api": {"port": 3000, "routes": ["/api"]}}


def problems(**more: Any) -> list[str]:
    """Return what is wrong with a file of two services and `more`."""
    fields = {"app": "shop", "images": {"web": {}, "api": {}}, "services": WEB_AND_API, "environments": {"live": {}}}
    try:
        App.model_validate(fields | more)
    except ValidationError as error:
        return str(error.errors()[0]["ctx"]["error"]).splitlines()
    return []


def test_a_file_that_fits_together_has_no_problem() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"services": {"shop": {"port": 1}}},
            "services.shop.image: no such name (found shop); allowed: web, api",
        ),
        (
            {"services": {"web": {"port": 1, "needs": ["cahce"]}}, "backing": {"cache": {"image": "redis:7"}}},
            "services.web.needs: no such name (found cahce); allowed: web, cache",
        ),
        (
            {"backing": {"cache": {"image": "redis:7", "needs": ["web"]}}},
            "backing.cache.needs: no such name (found web); allowed: cache",
        ),
        (
            {"environments": {"live": {"after": "stagin"}, "staging": {}}},
            "environments.live.after: no such name (found stagin); allowed: staging",
        ),
        (
            {"environments": {"live": {"acceptance": ["e2e"]}}},
            "environments.live.acceptance: no such name (found e2e); allowed: none",
        ),
        (
            {"backing": {"router": {"image": "redis:7"}}},
            "backing.router: the name is that of the environment's router; call it otherwise",
        ),
        (
            {"github": {"repository": "acme/shop", "token": "github-token"}, "environments": {"tests": {}}},
            "environments.tests: the name is that of a phase in GitHub's statuses; call it otherwise",
        ),
        (
            {"backing": {"database": {"image": "postgres"}}, "database": {}},
            "backing.database: the name is that of the application's `database`; call it otherwise",
        ),
        (
            {"services": {"web": {"port": 1, "volumes": {"a": "/data", "b": "/data/"}}}},
            "services.web.volumes: /data is given more than once",
        ),
        (
            {"suites": {"unit": {"image": "web", "services": ["db"]}}},
            "suites.unit.services: no such name (found db); allowed: web, api",
        ),
        (
            {"suites": {"unit": {"image": "web", "database": True}}},
            "suites.unit.database: there is no `database` in the file",
        ),
        (
            {"suites": {"all": {"compose": "c.yaml", "compose_service": "tests", "services": ["api"]}}},
            "suites.all.services: what runs beside the suite stands in its Compose file",
        ),
        (
            {
                "suites": {"all": {"compose": "c.yaml", "compose_service": "tests"}},
                "environments": {"live": {"acceptance": ["all"]}},
            },
            "environments.live.acceptance: all brings an environment of its own (compose)",
        ),
        (
            {"environments": {"live": {"backups": {"drill": {"suites": ["smoke"]}}}}},
            "environments.live.backups.drill.suites: no such name (found smoke); allowed: none",
        ),
        (
            {
                "environments": {
                    "live": {"checks": [{"at": "after", "http": {"path": "/"}}, {"at": "after", "suite": "x"}]}
                }
            },
            "environments.live.checks[1].suite: no such name (found x); allowed: none",
        ),
        (
            {"environments": {"live": {"checks": [{"at": "before", "http": {"path": "/", "service": "wbe"}}]}}},
            "environments.live.checks[0].http.service: no such name (found wbe); allowed: web, api",
        ),
        (
            {
                "suites": {"all": {"compose": "c.yaml", "compose_service": "tests"}},
                "environments": {"live": {"checks": [{"at": "before", "suite": "all"}]}},
            },
            "environments.live.checks[0].suite: all brings an environment of its own (compose)",
        ),
    ],
)
def test_an_unknown_name_is_told_with_the_known_ones(more: dict[str, Any], said: str) -> None:
    assert problems(**more) == [said]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"services": {"web": {"port": 1, "needs": ["api"]}, "api": {"needs": ["web"]}}},
            "services.web.needs: a circle: web → api → web",
        ),
        (
            {"backing": {"a": {"image": "a", "needs": ["b"]}, "b": {"image": "b", "needs": ["a"]}}},
            "backing.a.needs: a circle: a → b → a",
        ),
        (
            {"environments": {"live": {"after": "next"}, "next": {"after": "live"}}},
            "environments.live.after: a circle: live → next → live",
        ),
        ({"environments": {"live": {"after": "live"}}}, "environments.live.after: a circle: live → live"),
    ],
)
def test_a_circle_is_told_with_all_its_names(more: dict[str, Any], said: str) -> None:
    assert problems(**more) == [said]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"backing": {"web": {"image": "redis:7"}}}, "backing.web: the name is used under services already"),
        (
            {"services": {"web": {"port": 1, "routes": ["/api"]}, "api": {"port": 2, "routes": ["/api/", "/"]}}},
            "services: the route /api is given more than once",
        ),
        (
            {"environments": {"staging": {"target": {"port": 8080}}, "live": {"target": {"port": 8080}}}},
            "environments.live.target.port: 8080 is taken by environments.staging already",
        ),
    ],
)
def test_what_is_taken_twice_is_told(more: dict[str, Any], said: str) -> None:
    assert problems(**more) == [said]


@pytest.mark.parametrize(
    ("shift", "percent", "found"),
    [
        ({"canary": {"percent": 10}}, 10, "0"),
        ({"canary": {"percent": 10, "hold_seconds": 0.5}}, 10, "0.5"),
        (
            {"steps": [{"percent": 5, "hold_seconds": 1}, {"percent": 50, "hold_seconds": 0.9}, {"percent": 100}]},
            50,
            "0.9",
        ),
    ],
)
def test_a_step_that_ends_before_lost_health_is_noticed_is_told(
    shift: dict[str, Any], percent: int, found: str
) -> None:
    assert problems(environments={"live": {"shift": shift}}) == [
        f"environments.live.shift: the step of {percent} percent is too short to see lost health "
        f"(found hold_seconds {found}); allowed: at least 1"
    ]


@pytest.mark.parametrize(
    "environment",
    [
        {"shift": {"canary": {"percent": 10, "hold_seconds": 1}}},
        {"shift": {"steps": [{"percent": 100}]}},
        {"shift": {"canary": {"percent": 10}}, "target": {"kind": "memory"}},
    ],
)
def test_a_step_that_is_long_enough_or_the_last_one_is_taken(environment: dict[str, Any]) -> None:
    assert problems(environments={"live": environment}) == []


def test_two_hosts_may_listen_on_the_same_port() -> None:
    hosts = {name: {"target": {"host": f"ssh://{name}", "port": 8080}} for name in ("staging", "live")}
    assert problems(environments=hosts) == []


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ({"web": {}}, "services: none has a `port`; at least one must take requests"),
        ({"web": {"port": 1}, "api": {"port": 2}}, "services: several have a port; say with `routes` which paths go"),
        ({"web": {"port": 1}, "api": {"routes": ["/"]}}, "services.api.port: is needed, because routes go to it"),
    ],
)
def test_services_that_no_request_can_reach_are_told(services: dict[str, Any], said: str) -> None:
    [problem] = problems(services=services)
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"services": {"web": {"port": 1, "env": {"DB": "${database.uri}"}}}, "database": {}},
            "services.web.env.DB: found ${database.uri}; allowed: ${database.url}, ${database.host}, ${database.port}, "
            "${database.name}, ${database.user}, ${database.password}",
        ),
        (
            {"services": {"web": {"port": 1, "env": {"DB": "${database.url}"}}}},
            "services.web.env.DB: found ${database.url}; allowed: none here",
        ),
        (
            {"backing": {"cache": {"image": "redis:7", "env": {"DB": "${database.url}"}}}, "database": {}},
            "backing.cache.env.DB: found ${database.url}; allowed: none here",
        ),
        (
            {"suites": {"unit": {"image": "web", "axes": {"node": ["22"]}, "env": {"V": "${node} ${nodes}"}}}},
            "suites.unit.env.V: found ${nodes}; allowed: ${node}",
        ),
    ],
)
def test_a_variable_that_cannot_be_filled_in_is_told(more: dict[str, Any], said: str) -> None:
    assert problems(**more) == [said]


def test_what_a_shell_fills_in_is_left_alone() -> None:
    assert problems(services={"web": {"port": 1, "env": {"HOME": "${HOME}/x", "PRICE": "$5"}}}) == []


SHOP, STAR = {"port": 1, "hosts": ["shop.org"]}, {"port": 2, "hosts": ["*.shop.org", "shop.org"], "routes": ["/api"]}


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ({"web": SHOP, "api": STAR}, []),
        ({"web": SHOP, "api": STAR | {"routes": []}}, ["services: the route shop.org/ is given more than once"]),
        (
            {"web": SHOP | {"routes": ["/api/"]}, "api": STAR},
            ["services: the route shop.org/api is given more than once"],
        ),
        (
            {"web": SHOP, "api": {"hosts": ["api.org"]}},
            ["services.api.port: is needed, because hosts lead to it"],
        ),
        (
            {"web": SHOP, "api": {"health": "/up"}},
            ["services.api.health: there is no port to ask; allowed: none, or settings with image_check alone"],
        ),
        ({"web": SHOP, "api": {"health": "none"}}, []),
    ],
)
def test_two_services_may_share_a_host_but_not_a_path_of_it(services: dict[str, Any], said: list[str]) -> None:
    assert problems(services=services) == said


def test_https_and_http_share_no_port_of_a_machine() -> None:
    tls = {"tls": {"secret": "shop-tls"}, "https_port": 443}
    both = {"live": {"target": tls}, "staging": {"target": {"port": 443}}}

    assert problems(environments=both) == [
        "environments.staging.target.port: 443 is taken by environments.live already"
    ]


def test_a_step_is_held_until_the_limits_of_a_health_check_are_over() -> None:
    web = {"port": 1, "health": {"path": "/up", "interval_seconds": 4, "failures": 3}}
    shift = {"steps": [{"percent": 10, "hold_seconds": 5}, {"percent": 100}]}

    [said] = problems(services={"web": web}, environments={"live": {"shift": shift}})

    assert said.endswith("too short to see lost health (found hold_seconds 5); allowed: at least 8.2")


def test_what_a_router_cannot_do_is_asked_of_no_other_kind_of_target() -> None:
    environment = {"target": {"kind": "memory"}, "shift": {"canary": {"percent": 10, "hold_seconds": 0}}}

    assert problems(environments={"one": environment, "two": environment}) == []
