"""What a service is asked and how often it may fail, in each of the forms that headway.yaml takes."""

import pytest

from delivery.spec.configuration import load_app_text
from delivery.spec.health import Health
from delivery.spec.services import Service
from tests.delivery.spec.test_configuration import complaint, with_environment, with_service
from tests.delivery.values import make_app


def service(**fields):
    return Service.model_validate({"port": 8000} | fields)


@pytest.mark.parametrize(
    ("health", "meant"),
    [
        (None, Health()),
        ("/healthz", Health(path="/healthz")),
        ("none", Health(image_check=False)),
        (False, Health(image_check=False)),
        ({"path": "/up", "timeout_seconds": 20}, Health(path="/up", timeout_seconds=20)),
    ],
)
def test_health_is_a_path_or_settings_or_switched_off(health, meant):
    found = service(health=health)

    assert found.checked == meant
    assert Service.model_validate_json(found.model_dump_json()) == found


def test_a_slow_answer_has_seconds_and_three_tries():
    usual = Health()

    assert (usual.timeout_seconds, usual.failures) == (5, 3)
    assert usual.grace_seconds == 15


@pytest.mark.parametrize(
    ("fields", "host", "public"),
    [
        ({}, "localhost", "localhost"),
        ({"hosts": ["shop.org", "shop.de"]}, "shop.org", "shop.org"),
        ({"hosts": ["*.shop.org"]}, "www.shop.org", "www.shop.org"),
        ({"health": {"host": "inner"}, "hosts": ["shop.org"]}, "inner", "shop.org"),
        ({"health": {"host": "inner"}}, "inner", "inner"),
    ],
)
def test_a_service_is_asked_by_a_name_it_answers_to(fields, host, public):
    found = service(**fields)

    assert (found.host, found.public_host) == (host, public)


@pytest.mark.parametrize(
    ("fields", "ways"),
    [
        ({}, ()),
        ({"routes": ["/api"]}, ("/api",)),
        ({"hosts": ["a.org", "*.b.org"]}, ("a.org/", "*.b.org/")),
        ({"hosts": ["a.org"], "routes": ["/x", "/y"]}, ("a.org/x", "a.org/y")),
    ],
)
def test_hosts_and_routes_go_together(fields, ways):
    assert service(**fields).ways == ways


def test_a_worker_does_not_inherit_the_check_of_a_web_servers_image():
    services = {
        "web": {"port": 8000},
        "worker": {"image": "web"},
        "own": {"image": "registry.org/own"},
        "kept": {"image": "web", "health": {"image_check": True}},
        "quiet": {"image": "registry.org/own", "health": "none"},
    }

    app = make_app(images={"web": {}}, services=services, suites={}, environments={"live": {}})

    assert {name: app.runs_image_check(name) for name in services} == {
        "web": True,
        "worker": False,
        "own": True,
        "kept": True,
        "quiet": False,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            with_service("health: {pth: /x}"),
            "services.web.health.pth: there is no such key; did you mean path?",
        ),
        (with_service("health: {path: x}"), "services.web.health.path: found 'x'; allowed: a path that begins with /"),
        (
            with_service("health: {failures: 0}"),
            "services.web.health.failures: found 0; allowed: greater than",
        ),
        (with_service("health: {host: A.org}"), "services.web.health.host: found 'A.org'; allowed: a name like shop.e"),
        (with_service("health: 5"), "services.web.health: found 5; allowed: text"),
        (
            with_service("hosts: [Shop.org]"),
            "services.web.hosts[0]: found 'Shop.org'; allowed: a name like",
        ),
        (with_environment("target: {tls: {}}"), "target.tls[0]: needs exactly one of secret, certificate (found none"),
        (
            with_environment("target: {tls: {certificate: a.pem}}"),
            "tls[0]: certificate: found 'a.pem'; allowed: an",
        ),
        (with_environment("target: {https_port: 443}"), "target: https_port needs tls: the certificates that HTTPS"),
        (with_environment("target: {trusted_proxies: [x]}"), "trusted_proxies[0]: found 'x'; allowed: an address or a"),
        (with_environment("target: {bind: all}"), "production.target.bind: found 'all'; allowed: an address of the Do"),
    ],
)
def test_a_wrong_setting_is_told_with_what_is_allowed(text, said):
    assert said in complaint(text)


def test_one_certificate_needs_no_list():
    app = load_app_text(with_environment("target: {tls: {secret: shop-tls}, https_port: 443, port: 80}"))

    assert [one.secret for one in app.environments["production"].target.tls] == ["shop-tls"]
