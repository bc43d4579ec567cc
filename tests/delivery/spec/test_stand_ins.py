import pytest

from delivery.errors import Misconfigured
from delivery.spec.app import App
from delivery.spec.configuration import load_app
from delivery.spec.named_images import images_of_environment, images_of_tests
from delivery.spec.stand_ins import stricter

FILE = {"app": "shop", "images": {"web": {}}, "services": {"web": {"port": 80}}, "environments": {"live": {}}}


@pytest.mark.parametrize(
    ("in_file", "machine", "counts"),
    [
        ("when-missing", "", "when-missing"),
        ("never", "", "never"),
        ("when-missing", "never", "never"),
        ("always", "never", "never"),
        ("never", "always", "never"),
        ("when-missing", "always", "always"),
        ("always", "when-missing", "always"),
    ],
)
def test_the_stricter_of_file_and_machine_counts(monkeypatch, in_file, machine, counts):
    monkeypatch.setenv("HEADWAY_STAND_INS", machine)

    assert stricter(in_file) == counts


def test_a_machine_that_says_something_else_is_told_what_there_is(monkeypatch):
    monkeypatch.setenv("HEADWAY_STAND_INS", "no")

    with pytest.raises(Misconfigured, match="HEADWAY_STAND_INS: no; allowed: when-missing, always, never"):
        stricter("when-missing")


def test_a_file_that_says_something_else_is_told_what_there_is(tmp_path):
    file = tmp_path / "headway.yaml"
    file.write_text("app: shop\nimages: {web: {}}\nstand_ins: sometimes\nenvironments: {live: {}}\n")

    with pytest.raises(Misconfigured, match="stand_ins: found 'sometimes'; allowed: when-missing, always or never"):
        load_app(file)


def test_images_from_elsewhere_are_found_and_those_that_are_built_are_not():
    app = App.model_validate(
        FILE
        | {
            "services": {"web": {"port": 80}, "mail": {"image": "corp/mail:1"}},
            "backing": {"cache": {"image": "redis:7"}},
            "database": {"image": "postgres:15", "migrate": {"image": "web"}},
            "suites": {
                "unit": {"image": "node:${node}", "axes": {"node": ["20", "22"]}},
                "smoke": {"image": "curlimages/curl:8"},
            },
            "environments": {
                "live": {
                    "acceptance": ["smoke"],
                    "checks": [{"at": "before", "command": {"image": "corp/check:1"}}],
                }
            },
        }
    )

    assert images_of_tests(app) == ("node:20", "node:22")
    assert images_of_environment(app, "live") == (
        "corp/mail:1",
        "redis:7",
        "postgres:15",
        "curlimages/curl:8",
        "corp/check:1",
    )


def test_what_runs_beside_a_suite_is_needed_for_the_tests_as_well():
    suites = {"api": {"image": "web", "services": ["web"]}}
    app = App.model_validate(FILE | {"backing": {"cache": {"image": "redis:7"}}, "suites": suites})

    assert images_of_tests(app) == ("redis:7",)


def test_services_beside_a_suite_are_needed_for_the_tests_with_what_they_need_and_no_others():
    services = {
        "web": {"port": 80, "needs": ["mail", "cache"]},
        "mail": {"image": "corp/mail:1", "needs": ["spool"]},
        "spool": {"image": "corp/spool:1"},
        "cron": {"image": "corp/cron:1"},
    }
    suites = {"api": {"image": "web", "services": ["web"]}}
    more = {"services": services, "backing": {"cache": {"image": "redis:7"}}, "suites": suites}

    assert images_of_tests(App.model_validate(FILE | more)) == ("redis:7", "corp/mail:1", "corp/spool:1")
