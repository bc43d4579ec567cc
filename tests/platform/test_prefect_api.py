"""A Prefect server that PREFECT_API_URL names: what is said about it, and when it is used."""

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.platform.duties import duties_of
from delivery.platform.orchestrator import Orchestrator
from delivery.platform.prefect_api import PrefectApi
from tests.support.platforms import free_port

BASIC = "Basic " + base64.b64encode(b"ann:pa55word").decode()


class Pages(BaseHTTPRequestHandler):
    """A Prefect API as far as it is asked whether it can be used: the health page is open, the others are not."""

    wanted: str | None = None
    pages = {"/api/health": 200, "/api/admin/version": 200}

    def do_GET(self) -> None:
        refused = self.wanted and self.path != "/api/health" and self.headers["Authorization"] != self.wanted
        self.send_response(401 if refused else self.pages.get(self.path, 404))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(**pages: object) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Pages", (Pages,), pages)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}/api"
        server.shutdown()


@pytest.fixture
def prefect(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "HEADWAY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HEADWAY_SERVER_PORT", "0")
    home = Home(tmp_path / "home")
    home.root.mkdir()
    return Orchestrator(home)


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("http://ann:pa55word@{}", {}),
        ("http://{}", {"PREFECT_API_AUTH_STRING": "ann:pa55word", "PREFECT_API_KEY": "another"}),
        ("http://{}/", {"PREFECT_CLIENT_CUSTOM_HEADERS": f'{{"Authorization": "{BASIC}"}}'}),
    ],
    ids=["url", "auth string", "header"],
)
def test_a_server_is_asked_with_the_credentials_that_prefect_would_use(url, settings):
    with serving(wanted=BASIC) as address:
        PrefectApi(url.format(address), settings).check()


def test_a_key_goes_along():
    with serving(wanted="Bearer pnu_1") as address:
        PrefectApi(f"http://{address}", {"PREFECT_API_KEY": "pnu_1"}).check()


def test_refused_credentials_are_told_without_them():
    with serving(wanted=BASIC) as address, pytest.raises(Misconfigured) as caught:
        PrefectApi(f"http://bob:wr0ng@{address}", {"PREFECT_API_KEY": "wr0ng"}).check()

    assert str(caught.value) == (
        f"PREFECT_API_URL: http://{address} refuses the credentials\n"
        "  next: export PREFECT_API_KEY or PREFECT_API_AUTH_STRING as that server asks for"
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://bob:wr0ng@127.0.0.1:{}/api?key=wr0ng", "http://127.0.0.1:{}/api does not answer: "),
        ("http://bob:wr/0ng@127.0.0.1:{}/api", "http://127.0.0.1:{}/api is no URL"),
        ("bob:wr0ng@127.0.0.1:{}/api", "127.0.0.1:{}/api is no URL"),
    ],
)
def test_a_server_that_cannot_be_asked_is_named_without_a_password(url, said):
    port = free_port()
    api = PrefectApi(url.format(port), {"PREFECT_API_KEY": "wr0ng"})

    with pytest.raises(Misconfigured) as caught:
        api.check()

    assert str(caught.value).startswith(f"PREFECT_API_URL: {said.format(port)}")
    assert "next: start that server or correct PREFECT_API_URL" in str(caught.value)
    assert "0ng" not in f"{caught.value} {api!r}"
    assert not api.answers()


def test_something_else_at_that_address_is_no_prefect_api():
    with serving(pages={}) as address, pytest.raises(Misconfigured, match="answers with HTTP 404: it is no Prefect"):
        PrefectApi(f"http://{address}", {}).check()


@pytest.mark.parametrize(
    ("url", "settings", "ui"),
    [
        ("http://ann:pw@prefect.example:4200/api", {}, "http://prefect.example:4200"),
        ("http://prefect.example/api/", {"PREFECT_UI_URL": "https://ui.example/"}, "https://ui.example"),
        (
            "https://api.prefect.cloud/api/accounts/1/workspaces/2",
            {},
            "https://app.prefect.cloud/account/1/workspace/2",
        ),
    ],
)
def test_its_ui_is_where_prefect_says(url, settings, ui, prefect, monkeypatch):
    for name, value in {"PREFECT_API_URL": url, **settings}.items():
        monkeypatch.setenv(name, value)

    assert PrefectApi(url, settings).ui == prefect.url == ui
    assert prefect.run_url("1") == f"{ui}/runs/flow-run/1"
    assert prefect.environment()["PREFECT_UI_URL"].rstrip("/") == ui  # or Prefect's links would hold the password


def test_a_server_elsewhere_is_neither_started_nor_kept(prefect, monkeypatch):
    prefect.home.up.touch()
    with serving() as address:
        monkeypatch.setenv("PREFECT_API_URL", f"http://{address}")
        prefect.join()

        prefect.launch_server()
        prefect.start_server()

        duty = next(duty for duty in duties_of(prefect.home) if duty.name == "Prefect server")
        assert prefect.answers()
        assert not duty.is_missing()
        assert prefect.server.process() is None


def test_a_shell_that_names_no_server_uses_the_one_the_platform_is_up_with(prefect, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://ann:pa55word@elsewhere:4200/api")
    prefect.join()
    prefect.home.up.touch()
    monkeypatch.delenv("PREFECT_API_URL")

    assert prefect.environment()["PREFECT_API_URL"] == "http://elsewhere:4200/api"
    assert "pa55word" not in "".join(path.read_text() for path in prefect.home.root.rglob("*") if path.is_file())
    prefect.stop()
    assert prefect.elsewhere is None


def test_another_server_is_not_taken_while_the_platform_is_up(prefect, monkeypatch):
    prefect.home.up.touch()
    prefect.join()
    monkeypatch.setenv("PREFECT_API_URL", "http://ann:pa55word@elsewhere:4200/api")

    with pytest.raises(Misconfigured) as caught:
        prefect.check()

    assert str(caught.value) == (
        f"PREFECT_API_URL: http://elsewhere:4200/api, but the platform in {prefect.home.root} is up with a Prefect "
        "server of its own\n  next: unset PREFECT_API_URL; to change over: headway down, then headway up"
    )


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("", "s3://team/state", "s3://team/state, but the platform in HOME is up with none\n  next: unset NAME"),
        ("s3://team/state", "", "not set, but the platform in HOME is up with s3://team/state\n  next: export NAME="),
        ("s3://team/a", "s3://team/b", "s3://team/b, but the platform in HOME is up with s3://team/a"),
    ],
)
@pytest.mark.parametrize("name", ["HEADWAY_STORE", "HEADWAY_STORE_LOCK", "HEADWAY_REGISTRY"])
def test_state_and_images_stay_where_they_are_while_the_platform_is_up(name, before, now, said, prefect, monkeypatch):
    """Its worker and its keeper would go on with the places they were started with."""
    monkeypatch.setenv("HEADWAY_HOME", str(prefect.home.root))
    monkeypatch.setenv(name, before)
    up = Orchestrator(Home.current())
    up.join()
    up.home.up.touch()
    up.check()
    monkeypatch.setenv(name, now)

    with pytest.raises(Misconfigured) as caught:
        Orchestrator(Home.current()).check()

    assert f"{name}: {said.replace('HOME', str(prefect.home.root)).replace('NAME', name)}" in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_url_of_our_own_server_is_nothing_new(host, prefect, monkeypatch):
    prefect.home.up.touch()
    monkeypatch.setenv("PREFECT_API_URL", f"http://{host}:{prefect.port}/api/")

    prefect.check()

    assert prefect.elsewhere is None


def test_a_server_elsewhere_knows_nothing_of_a_platform_that_was_never_up(prefect, monkeypatch):
    with serving() as address:
        monkeypatch.setenv("PREFECT_API_URL", f"http://{address}")

        prefect.check()

        assert not prefect.answers()
