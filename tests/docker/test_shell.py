"""Many commands in one shell of a container."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from docker.errors import APIError

from delivery.docker.engine.client import connect
from delivery.docker.engine.shell import Shell
from delivery.docker.images.bases import resolve_base
from delivery.home import Home
from delivery.waiting import until

pytestmark = [pytest.mark.docker]


@pytest.fixture(scope="module")
def container():
    image = resolve_base("busybox", home=Home.current()).used
    made = connect().containers.run(image, ["sleep", "3600"], detach=True, init=True)
    yield made
    made.remove(force=True)


@pytest.fixture
def shell(container):
    with closing(Shell(container, user="0")) as shell:
        yield shell


ALONE = 2  # what the engine starts as process 1, and what that runs


def processes(container):
    return [row[-1] for row in container.top()["Processes"]]


def test_each_command_has_its_own_exit_code_output_and_errors(shell):
    said = [shell.run(["sh", "-c", f"echo out {number}; echo err >&2; exit {number}"]) for number in range(3)]

    assert said == [(number, f"out {number}\n", "err\n") for number in range(3)]


@pytest.mark.parametrize("text", ["", "\n", "no end of line", 'it\'s "so" $HOME `id` \\n\n\n', "é ✓\n" * 8000])
def test_what_is_said_comes_back_as_it_is(shell, text):
    assert shell.run(["printf", "%s", text]) == (0, text, "")


def test_a_command_keeps_nothing_for_the_next_one(shell):
    shell.run(["sh", "-c", "cd /tmp; export LEFT=1; exec 9>/tmp/lock; trap '' TERM"])

    assert shell.run(["sh", "-c", "echo $PWD $LEFT"])[1].split() == ["/"]


def test_threads_take_turns(shell):
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda number: shell.run(["echo", str(number)])[1], range(40)))

    assert said == [f"{number}\n" for number in range(40)]


def test_it_is_opened_again_after_a_restart_of_the_container(container, shell):
    assert shell.run(["echo", "before"])[0] == 0
    container.restart(timeout=0)

    assert shell.run(["echo", "after"]) == (0, "after\n", "")


def test_a_container_that_does_not_run_is_told(container, shell):
    shell.run(["true"])
    container.stop(timeout=0)
    try:
        with pytest.raises(APIError):
            shell.run(["true"])
    finally:
        container.start()
    assert shell.run(["echo", "again"])[1] == "again\n"


def test_a_container_that_ends_meanwhile_is_told(container, shell):
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(shell.run, ["sh", "-c", "echo at work >/tmp/begun; sleep 600"])
        other = Shell(container)
        with closing(other):
            assert until(lambda: "work" in other.run(["cat", "/tmp/begun"])[1], seconds=30, every=0.05)
        container.kill()
        with pytest.raises((APIError, ConnectionError)):
            asked.result(60)
    container.start()


def test_a_command_that_says_nothing_for_too_long_is_given_up(shell):
    with pytest.raises(TimeoutError):
        shell.run(["sleep", "30"], seconds=0.3)

    assert shell.run(["echo", "next"])[1] == "next\n"


def test_a_shell_that_is_closed_leaves_no_process(container):
    assert until(lambda: len(processes(container)) == ALONE, seconds=30, every=0.05)  # those of other tests have ended
    with closing(Shell(container)) as shell:
        shell.run(["true"])
        assert len(processes(container)) == ALONE + 1

    assert until(lambda: len(processes(container)) == ALONE, seconds=30, every=0.05)
