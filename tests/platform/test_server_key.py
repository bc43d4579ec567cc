"""The platform's own Prefect server answers nobody without its key, and no page but its own."""

import os
import stat

import httpx
import psutil
import pytest

from delivery.home import Home
from delivery.platform.orchestrator import CLIENT_KEY, SERVER_KEY, Orchestrator, server_command
from tests.support.signed_in import signed_in

pytestmark = [
    pytest.mark.prefect,
    # A daemon is meant to outlive the object that started it.
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]
FOREIGN = {"Origin": "http://evil.example"}


def clean(patch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "HEADWAY_"))]:
        patch.delenv(name)
    patch.setenv("HEADWAY_SERVER_PORT", "0")


@pytest.fixture(scope="module")
def prefect(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        found = Orchestrator(Home(tmp_path_factory.mktemp("platform") / "home"))
        found.start_server()
        yield found
        found.stop()


def test_a_stranger_is_refused_and_the_key_lies_in_no_argument_and_no_log(prefect):
    secret = prefect.key.get_secret_value().partition(":")[2]
    stranger = [
        httpx.post(f"{prefect.api}/block_documents/filter", json={"include_secrets": True}),
        httpx.get(f"{prefect.api}/admin/version"),
        httpx.get(f"{prefect.api}/admin/version", auth=("headway", "guessed")),
    ]

    assert [answer.status_code in (401, 403) for answer in stranger] == [True] * 3
    assert "headway" not in "".join(answer.text for answer in stranger)
    with signed_in(prefect) as client:
        assert client.post("block_documents/filter", json={}).status_code == 200
    assert secret not in " ".join(prefect.server.process().cmdline())
    assert secret not in prefect.server.log.read_text()


def test_no_foreign_page_may_read_an_answer_or_change_anything(prefect):
    with signed_in(prefect) as client:
        own = client.get("admin/version", headers={"Origin": prefect.url})
        read = client.get("admin/version", headers=FOREIGN)
        preflight = client.options("flows/filter", headers=FOREIGN | {"Access-Control-Request-Method": "POST"})
        client.headers.pop("Prefect-Csrf-Token")
        written = client.post("flows/", json={"name": "planted"}, headers=FOREIGN)

    assert own.headers["Access-Control-Allow-Origin"] == prefect.url
    assert "Access-Control-Allow-Origin" not in read.headers
    assert (preflight.status_code, "Access-Control-Allow-Origin" in preflight.headers) == (400, False)
    assert (written.status_code, written.json()) == (403, {"detail": "Missing CSRF token."})


@pytest.mark.long
def test_a_server_that_still_runs_without_a_key_is_started_again_with_one(tmp_path, monkeypatch):
    clean(monkeypatch)
    prefect = Orchestrator(Home(tmp_path / "home"))
    open_environment = {name: value for name, value in prefect.environment().items() if name != CLIENT_KEY}
    before = prefect.server.start(server_command(prefect.port), open_environment)
    try:
        while not prefect.answers():
            assert before.is_running(), prefect.server.last_lines()
        prefect.start_server()

        assert not psutil.pid_exists(before.pid) or not before.is_running()
        assert httpx.get(f"{prefect.api}/admin/version").status_code == 401
    finally:
        prefect.stop()


def test_the_home_and_the_key_are_their_owners_alone(tmp_path, monkeypatch):
    clean(monkeypatch)
    home = Home(tmp_path / "home")
    home.root.mkdir(mode=0o755)
    prefect = Orchestrator(home)

    environment = prefect.environment()

    assert [stat.S_IMODE(path.stat().st_mode) for path in (home.root, home.server_key)] == [0o700, 0o600]
    assert environment[CLIENT_KEY] == prefect.server_environment()[SERVER_KEY] == home.server_key.read_text()
    assert Orchestrator(Home(tmp_path / "other")).key != prefect.key


def test_a_server_elsewhere_is_told_what_its_user_says_and_never_this_platforms_key(tmp_path, monkeypatch):
    clean(monkeypatch)
    monkeypatch.setenv(CLIENT_KEY, "ann:pa55word")
    prefect = Orchestrator(Home(tmp_path / "home"))

    own = prefect.environment()[CLIENT_KEY]
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere:4200/api")

    assert own == prefect.key.get_secret_value() != "ann:pa55word"
    assert CLIENT_KEY not in prefect.environment()  # what the user has set stays beside it
    monkeypatch.setenv(CLIENT_KEY, own)  # as in a process that a platform with a server of its own started
    monkeypatch.setenv("HEADWAY_SETS", CLIENT_KEY)
    assert prefect.environment()[CLIENT_KEY] == ""
