"""What the user has set of Prefect's variables is kept; Headway fills in the others."""

import os

import pytest
from prefect.settings.models.root import Settings

from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.platform.daemon import Daemon
from delivery.platform.orchestrator import RESULTS_BLOCK, Orchestrator

OURS = "http://127.0.0.1:{}/api"


@pytest.fixture
def prefect(tmp_path, monkeypatch):
    """The Prefect of a platform, for a user with an empty environment and a home without profiles."""
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "HEADWAY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("HEADWAY_SERVER_PORT", "0")
    return Orchestrator(Home(tmp_path / "home"))


def profile(path, name="mine", **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f'active = "{name}"', f"[profiles.{name}]", *(f'{key} = "{value}"' for key, value in settings.items())]
    path.write_text("\n".join(lines))


def seen_by_prefect(environment, monkeypatch):
    """Return Prefect's settings in a process with this environment."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings()


KEPT = {
    "PREFECT_HOME": "/tmp/of-the-user",
    "PREFECT_API_URL": "http://elsewhere:4200/api",
    "PREFECT_LOGGING_LEVEL": "DEBUG",
    "PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK": "s3-bucket/results",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "true",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
    "PREFECT_CLIENT_MAX_RETRIES": "2",
    "PREFECT_WORKER_QUERY_SECONDS": "7",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "45",
    "PREFECT_CLI_COLORS": "true",
}


@pytest.mark.parametrize("name", KEPT)
def test_what_the_user_has_set_is_kept(name, prefect, monkeypatch):
    before = prefect.environment().get(name)
    monkeypatch.setenv(name, KEPT[name])

    assert before != KEPT[name]
    assert prefect.environment()[name] == KEPT[name]


def test_everything_that_headway_sets_can_be_set_by_the_user(prefect, monkeypatch):
    ours = [name for name in prefect.environment() if name.startswith("PREFECT_")]
    for name in ours:
        monkeypatch.setenv(name, f"http://{name.lower()}")

    changed = {name for name, value in prefect.environment().items() if value != os.environ.get(name)}

    assert len(ours) > 10
    assert changed & set(ours) == {"PREFECT_LOGGING_EXTRA_LOGGERS"}


@pytest.mark.parametrize("where", ["one machine", "a server elsewhere", "a shared store"])
def test_results_are_named_where_others_may_carry_a_run_on(where, prefect, tmp_path, monkeypatch):
    """To load one block loads all that prefect-aws and prefect-docker have, in each process of a run."""
    if where == "a server elsewhere":
        monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere:4200/api")
    if where == "a shared store":
        prefect = Orchestrator(Home(tmp_path / "home", tmp_path / "shared"))

    seen = seen_by_prefect(prefect.environment(), monkeypatch).results

    named = None if where == "one machine" else RESULTS_BLOCK
    assert (seen.default_storage_block, seen.local_storage_path == tmp_path / "home" / "results") == (named, not named)


def test_other_loggers_are_heard_beside_headways(prefect, monkeypatch):
    monkeypatch.setenv("PREFECT_LOGGING_EXTRA_LOGGERS", "mine,headway.more")

    assert prefect.environment()["PREFECT_LOGGING_EXTRA_LOGGERS"] == "mine,headway.more,headway"


def test_an_empty_variable_says_nothing(prefect, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "")

    assert prefect.environment()["PREFECT_API_URL"] == OURS.format(prefect.port)


def test_a_setting_under_its_earlier_name_is_what_prefect_sees(prefect, monkeypatch):
    monkeypatch.setenv("PREFECT_RUNNER_HEARTBEAT_FREQUENCY", "45")
    monkeypatch.setenv("PREFECT_DEFAULT_RESULT_STORAGE_BLOCK", "s3-bucket/results")

    seen = seen_by_prefect(prefect.environment(), monkeypatch)

    assert seen.flows.heartbeat_frequency == 45
    assert seen.results.default_storage_block == "s3-bucket/results"


def test_what_another_platform_has_set_is_no_word_of_the_user(prefect, tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")
    for name, value in prefect.environment().items():  # as in a process that the platform started
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("HEADWAY_HOME")
    other = Orchestrator(Home(tmp_path / "other"))

    assert other.elsewhere is None
    assert other.environment()["PREFECT_API_URL"] == OURS.format(other.port)
    assert other.environment()["PREFECT_HOME"] == str(tmp_path / "other" / "prefect")
    assert other.environment()["PREFECT_LOGGING_LEVEL"] == "DEBUG"


@pytest.mark.parametrize("named", ["PREFECT_PROFILE", "PREFECT_HOME", "PREFECT_PROFILES_PATH"])
def test_a_profile_that_the_user_names_counts(named, prefect, tmp_path, monkeypatch):
    folder = tmp_path / "user" / ".prefect"
    profile(folder / "profiles.toml", PREFECT_API_URL="http://elsewhere:4200/api", PREFECT_LOGGING_LEVEL="ERROR")
    values = {"PREFECT_PROFILE": "mine", "PREFECT_HOME": folder, "PREFECT_PROFILES_PATH": folder / "profiles.toml"}
    monkeypatch.setenv(named, str(values[named]))

    seen = seen_by_prefect(prefect.environment(), monkeypatch)

    assert prefect.api == seen.api.url == "http://elsewhere:4200/api"
    assert seen.logging.level == "ERROR"


def test_a_profile_that_nobody_names_is_somebody_elses_business(prefect, tmp_path):
    profile(tmp_path / "user" / ".prefect" / "profiles.toml", PREFECT_API_URL="http://elsewhere:4200/api")

    assert prefect.elsewhere is None


# A daemon is meant to outlive the object that started it.
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_daemon_has_what_the_user_has_set(prefect, tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_KEY", "pnu_1")
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")
    daemon = Daemon("shower", tmp_path / "daemons", tmp_path / "shower.log")

    started = daemon.start(["/usr/bin/env"], prefect.environment())
    started.wait(timeout=30)

    shown = daemon.log.read_text().splitlines()
    assert {"PREFECT_API_KEY=pnu_1", "PREFECT_LOGGING_LEVEL=DEBUG", "PREFECT_CLI_COLORS=false"} <= set(shown)


def test_a_password_of_our_own_server_is_told_to_its_clients(prefect, monkeypatch):
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "ann:pa55")

    assert prefect.environment()["PREFECT_API_AUTH_STRING"] == "ann:pa55"


def test_the_port_of_our_own_server_can_be_named_as_prefect_names_it(prefect, monkeypatch):
    monkeypatch.delenv("HEADWAY_SERVER_PORT")
    monkeypatch.setenv("PREFECT_SERVER_API_PORT", "42oo")

    with pytest.raises(Misconfigured, match=r"PREFECT_SERVER_API_PORT: '42oo'; allowed: a port"):
        _ = prefect.port
