"""The examples of docs/examples.md that are about the machine itself, run on one, in their order."""

import signal
from collections.abc import Iterator

import httpx
import pytest

from tests.end_to_end.conftest import remove_platform
from tests.end_to_end.hello import wait_for
from tests.end_to_end.project import HANGS_SECONDS, Project, output_of
from tests.support.examples import IN_THE_FOREGROUND, ON_A_MACHINE, check_data, examples
from tests.support.platforms import free_port, new_home

pytestmark = [
    pytest.mark.docker,
    pytest.mark.long,
    pytest.mark.xdist_group("end-to-end"),
    pytest.mark.timeout(HANGS_SECONDS),
]


@pytest.fixture
def own(tmp_path) -> Iterator[Project]:
    """A platform of its own that nobody started yet."""
    (tmp_path / "shop").mkdir()
    platform = Project(new_home(tmp_path / "home").root, tmp_path / "shop", free_port())
    yield platform
    remove_platform(platform)


def test_the_platform_comes_up_says_where_it_is_and_goes_down(own: Project) -> None:
    told = {}
    for example in (one for one in examples() if one.verb in ON_A_MACHINE):
        done = own.headway(*example.argv)
        assert done.returncode == 0, done.stderr
        told[example.verb] = check_data(example.verb, done.stdout) if example.prints_data else done.stdout
    assert list(told) == list(ON_A_MACHINE)
    assert told["ui"]["ui"] == told["up"]["ui"]
    assert told["ui"]["key"]


def test_the_receiver_serves_in_the_foreground_until_it_is_interrupted(own: Project) -> None:
    (example,) = [one for one in examples() if one.verb in IN_THE_FOREGROUND]
    port = free_port()
    assert own.headway("hooks", "listen", "--port", str(port)).returncode == 0

    process = own.start(*example.argv)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/"))
    finally:
        process.send_signal(signal.SIGINT)
    assert "Traceback" not in output_of(process)


def answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=10, trust_env=False).status_code > 0
    except httpx.TransportError:
        return False
