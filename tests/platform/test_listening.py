"""Where a platform is answered is known, and what other machines reach unasked is told."""

import sys

import pytest

from cli.doctor import _listening
from delivery.docker.engine.published import Published
from delivery.home import Home
from delivery.platform.daemon import Daemon
from delivery.platform.listening import listeners
from delivery.platform.orchestrator import Orchestrator
from delivery.waiting import until

pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
LISTENS = """
import socket, subprocess, sys, time
if sys.argv[2:] == ["child"]:
    listening = socket.socket()
    listening.bind((sys.argv[1], 0))
    listening.listen()
    time.sleep(60)
subprocess.run([sys.executable, __file__, sys.argv[1], "child"])
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr("delivery.platform.engine.engine_version", lambda: "20.10")
    monkeypatch.setattr("delivery.platform.listening.published_ports", lambda _: [])
    home = Home(tmp_path / "home")
    home.root.mkdir()
    assert home.identity
    return home


@pytest.fixture
def listening_at(home, tmp_path):
    """Start the platform's server as a program whose child listens at an address."""
    script, prefect = tmp_path / "listens.py", Orchestrator(home)
    script.write_text(LISTENS)

    def start(address: str) -> Daemon:
        prefect.server.start([sys.executable, str(script), address], {})
        assert until(lambda: listeners(prefect), seconds=30, every=0.05)
        return prefect.server

    yield start
    prefect.server.stop(grace_seconds=0.5)  # its child listens until it is killed


@pytest.mark.parametrize(("address", "state"), [("127.0.0.1", "ok"), ("0.0.0.0", "warning")])
def test_a_process_that_other_machines_reach_is_told_with_its_address(home, listening_at, address, state):
    listening_at(address)

    [seen] = _listening(Orchestrator(home))

    assert seen.state == state
    assert f"Prefect server {address}:" in seen.found
    assert (f"Prefect server ({address}:" in seen.next_step) is (state == "warning")


@pytest.mark.parametrize(
    ("published", "state"),
    [
        (Published("registry", "", "", "127.0.0.1", 5000), "ok"),
        (Published("registry", "", "", "0.0.0.0", 5000), "warning"),
        (Published("registry", "", "", "::", 5000), "warning"),
        (Published("router", "shop", "production", "0.0.0.0", 80), "ok"),
        (Published("database", "shop", "production", "0.0.0.0", 5432), "warning"),
    ],
)
def test_a_port_of_a_container_is_told_unless_it_is_where_the_file_says(home, monkeypatch, published, state):
    monkeypatch.setattr("delivery.platform.listening.published_ports", lambda _: [published])

    [seen] = _listening(Orchestrator(home))

    assert seen.state == state


def test_where_nothing_is_up_nothing_listens(home):
    assert _listening(Orchestrator(home)) == []
