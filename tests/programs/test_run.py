"""The one place where a program is started: how it ends, each way it can end."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from delivery.errors import CommandFailed, Interrupted, Rejected
from delivery.programs import run as module
from delivery.programs.run import Completed, run, stop_all
from delivery.redaction import Redaction

LONG = 30


def test_both_outputs_and_the_exit_code_come_back():
    done = run(["sh", "-c", "echo out; echo err >&2"], timeout_seconds=LONG)

    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")


def test_a_variable_of_this_process_can_be_taken_from_a_program(monkeypatch):
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("TAKEN", "1")

    done = run(
        ["sh", "-c", "echo ${KEPT-none} ${TAKEN-none} $MORE"], timeout_seconds=LONG, env={"TAKEN": None, "MORE": "2"}
    )

    assert done.stdout == "1 none 2\n"


@pytest.mark.parametrize("key", ["PREFECT_API_AUTH_STRING", "PREFECT_API_KEY", "PREFECT_SERVER_API_AUTH_STRING"])
def test_no_program_gets_a_key_of_the_prefect_server(key, monkeypatch):
    monkeypatch.setenv(key, "k3y")

    assert "k3y" not in run(["env"], timeout_seconds=60).stdout


def test_arguments_are_never_read_by_a_shell():
    done = run(["printf", "%s|", "$HOME", "a b", "; false", "*"], timeout_seconds=LONG)

    assert done.stdout == "$HOME|a b|; false|*|"


def test_input_environment_and_folder_are_given(tmp_path):
    done = run(
        ["sh", "-c", "pwd; cat; echo $GREETING $PATH"],
        timeout_seconds=LONG,
        cwd=tmp_path,
        env={"GREETING": "hello"},
        stdin="from stdin\n",
    )

    assert done.stdout.splitlines() == [str(tmp_path), "from stdin", f"hello {os.environ['PATH']}"]


def test_input_and_output_are_utf_8_whatever_the_locale_is():
    """The one who starts programs has another locale here: what it reads and writes is no matter of taste."""
    code = "from delivery.programs.run import run; print(ascii(run(['cat'], timeout_seconds=9, stdin=TEXT).stdout))"
    code = code.replace("TEXT", ascii("🚀 ä"))

    said = run([sys.executable, "-c", code], timeout_seconds=60, env={"LC_ALL": "C", "PYTHONUTF8": "0"}).stdout

    assert said.strip() == "'\\U0001f680 \\xe4'"


def test_without_input_nothing_is_waited_for():
    assert run(["cat"], timeout_seconds=LONG).stdout == ""


def test_an_exit_code_that_was_not_expected_shows_the_last_lines():
    with pytest.raises(CommandFailed) as caught:
        run(["sh", "-c", "seq 40; echo reason >&2; exit 3"], timeout_seconds=LONG)

    assert caught.value.returncode == 3
    assert str(caught.value).splitlines()[0] == "sh -c seq 40; echo reason >&2; exit 3 … ended with exit code 3"
    assert caught.value.last_lines.splitlines() == [*map(str, range(22, 41)), "reason"]


def test_an_exit_code_may_be_expected():
    assert run(["sh", "-c", "exit 3"], timeout_seconds=LONG, accept=(0, 3)).returncode == 3


def test_what_is_secret_in_the_environment_is_in_no_message():
    with pytest.raises(CommandFailed) as caught:
        run(["sh", "-c", "exit 1"], timeout_seconds=LONG, env={"TOKEN": "s3cret"}, stdin="s3cret")

    assert "s3cret" not in f"{caught.value} {caught.value.__reduce__()}"


def test_a_program_that_runs_too_long_is_ended_with_its_children(tmp_path):
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    held = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)

    with pytest.raises(Rejected, match=r"sh did not end within 0\.3 s"):
        run(["sh", "-c", f"sleep 600 > {alive} & wait"], timeout_seconds=0.3)

    os.set_blocking(held, True)
    assert os.read(held, 1) == b""  # nobody is left who could write
    os.close(held)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["no-such-program"], "no-such-program is not installed"),
        (["echo", "a\x00b"], "echo could not be started: embedded null byte"),
        (["echo", "a" * 5_000_000], "echo could not be started: .*Argument list too long"),
    ],
)
def test_a_program_that_cannot_be_started_is_told(argv, said):
    with pytest.raises(Rejected, match=said):
        run(argv, timeout_seconds=LONG)


def test_a_file_that_is_no_program_is_told(tmp_path):
    (tmp_path / "notes").touch(mode=0o644)

    with pytest.raises(Rejected, match=r"notes could not be started: .*Permission denied"):
        run([str(tmp_path / "notes")], timeout_seconds=LONG)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(Rejected, match=f"echo was not started: there is no folder {tmp_path}/gone"):
        run(["echo"], timeout_seconds=LONG, cwd=tmp_path / "gone")


def test_output_that_is_no_text_is_kept_as_far_as_it_can_be():
    code = r"import sys; sys.stdout.buffer.write(b'caf\xe9\n')"

    assert run([sys.executable, "-c", code], timeout_seconds=LONG).stdout == "caf�\n"


def test_the_log_holds_both_outputs_also_of_a_failure(tmp_path):
    with pytest.raises(CommandFailed):
        run(["sh", "-c", "echo out; echo err >&2; exit 1"], timeout_seconds=LONG, log=tmp_path / "logs" / "one.txt")

    assert (tmp_path / "logs" / "one.txt").read_text() == "out\nerr\n"


def test_what_is_hidden_is_in_no_log_no_line_and_no_error(tmp_path):
    log, told, hide = tmp_path / "one.txt", [], Redaction([SecretStr("canary-5521")])
    print_it = ["sh", "-c", 'echo "$KEY"; echo "at $KEY" >&2; exit 1']
    given = {"timeout_seconds": LONG, "env": {"KEY": "canary-5521"}, "hide": hide}

    with pytest.raises(CommandFailed) as logged:
        run(print_it, log=log, on_line=told.append, **given)
    with pytest.raises(CommandFailed) as caught:
        run(print_it, **given)

    assert (log.read_text(), told) == ("***\nat ***\n", ["***", "at ***"])
    assert logged.value.last_lines == caught.value.last_lines == "***\nat ***"


def test_the_log_is_written_while_the_program_runs(tmp_path):
    log, go_on = tmp_path / "one.txt", tmp_path / "go-on"
    os.mkfifo(go_on)
    told = []

    def answer(line):
        told.append((line, log.read_text()))
        if line == "first":
            go_on.write_text("\n")

    done = run(["sh", "-c", f"echo first; read x <{go_on}; echo last"], timeout_seconds=LONG, log=log, on_line=answer)

    assert told == [("first", "first\n"), ("last", "first\nlast\n")]
    assert done.stdout == "first\nlast\n"


def test_a_program_that_runs_too_long_leaves_the_log_of_what_it_did(tmp_path):
    with pytest.raises(Rejected, match="did not end within"):
        run(["sh", "-c", "echo begun; sleep 600"], timeout_seconds=0.5, stdin="x" * 200_000, log=tmp_path / "one.txt")

    assert (tmp_path / "one.txt").read_text() == "begun\n"


def test_what_a_program_does_not_read_of_its_input_is_no_error(tmp_path):
    assert run(["true"], timeout_seconds=LONG, stdin="x" * 2_000_000, log=tmp_path / "one.txt").returncode == 0


def test_blank_lines_are_no_last_lines():
    done = Completed(argv=("x",), returncode=1, stdout="a\n\n\nb\n", stderr="\nc\n")

    assert done.last_lines(2) == "b\nc"


def test_everything_that_runs_is_stopped_and_nothing_is_started_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_stopping", threading.Event())
    runs = tmp_path / "runs"
    os.mkfifo(runs)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run, ["sh", "-c", f"echo up > {runs}; sleep 600"], timeout_seconds=LONG)
        assert runs.read_text() == "up\n"
        stop_all()
        with pytest.raises(Interrupted, match="sh was stopped"):
            future.result(LONG)
    with pytest.raises(Interrupted, match="echo was not started: the run is being stopped"):
        run(["echo"], timeout_seconds=LONG)


def test_a_program_that_is_just_being_started_is_stopped_as_well(monkeypatch):
    monkeypatch.setattr(module, "_stopping", threading.Event())
    start = subprocess.Popen

    def stop_meanwhile(*arguments, **options):
        process = start(*arguments, **options)
        stop_all()
        return process

    monkeypatch.setattr(subprocess, "Popen", stop_meanwhile)

    with pytest.raises(Interrupted, match="sleep was stopped"):
        run(["sleep", "600"], timeout_seconds=LONG)


GENTLE = """
import signal, sys, time
asked = 0
def ask(*_):
    global asked
    asked += 1
    print("asked", asked, flush=True)
    if asked == 2:
        sys.exit(9)
signal.signal(signal.SIGINT, ask)
print("ready", flush=True)
while not asked:
    time.sleep(0.01)
time.sleep(0.2)  # what it is in the middle of
open(sys.argv[1], "w").write("whole")
"""


def test_a_program_that_must_not_be_torn_out_of_its_work_is_asked_once_to_end(tmp_path):
    with pytest.raises(Rejected, match="did not end within 5 s"):
        run(
            [sys.executable, "-c", GENTLE, str(tmp_path / "work")],
            timeout_seconds=5,  # it is ready long before
            interrupt_seconds=LONG,
            log=tmp_path / "log",
        )

    assert (tmp_path / "work").read_text() == "whole"
    assert (tmp_path / "log").read_text() == "ready\nasked 1\n"


def test_a_program_that_does_not_hear_is_killed_when_its_time_is_over(tmp_path):
    deaf = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"

    with pytest.raises(Rejected, match="did not end within"):
        run([sys.executable, "-c", deaf], timeout_seconds=0.5, interrupt_seconds=0.1)


def test_a_stop_of_everything_asks_such_a_program_once_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_stopping", threading.Event())
    ready = threading.Event()

    def start():
        run(
            [sys.executable, "-c", GENTLE, str(tmp_path / "work")],
            timeout_seconds=LONG,
            interrupt_seconds=LONG,
            log=tmp_path / "log",
            on_line=lambda _: ready.set(),
        )

    with ThreadPoolExecutor() as pool:
        ended = pool.submit(start)
        assert ready.wait(LONG)
        stop_all()
        ended.result()

    assert (tmp_path / "work").read_text() == "whole"
    assert "asked 2" not in (tmp_path / "log").read_text()


def test_a_program_that_says_much_when_it_is_asked_to_end_is_read_to_its_end(tmp_path):
    talkative = GENTLE.replace("time.sleep(0.2)", "print('x' * 1_000_000, flush=True)")

    with pytest.raises(Rejected, match="did not end within 5 s"):
        run([sys.executable, "-c", talkative, str(tmp_path / "work")], timeout_seconds=5, interrupt_seconds=LONG)

    assert (tmp_path / "work").read_text() == "whole"
