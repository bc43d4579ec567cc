"""What a container printed is kept whole; where something is missing, that is told."""

import gc
from datetime import timedelta
from pathlib import Path

import pytest
from docker.errors import NotFound
from pydantic import SecretStr

from delivery.docker.engine import logs
from delivery.docker.engine.client import connect
from delivery.docker.engine.frames import Frame
from delivery.docker.engine.logs import save_log
from delivery.docker.sandbox.sandbox import open_sandbox
from delivery.home import Home
from delivery.redaction import Redaction

pytestmark = pytest.mark.docker
PRINTS = 'line=$(printf %0999d 7); i=0; while [ $i -lt {} ]; do echo "$line"; i=$((i+1)); done'


@pytest.fixture
def prints(monkeypatch):
    """Let a container have printed some chunks; it is what is given back."""

    def said(*chunks: bytes) -> object:
        monkeypatch.setattr(logs, "frames", lambda *_, **__: (Frame(1, chunk) for chunk in chunks))
        return object()

    return said


def test_a_log_is_kept_whole_whatever_the_engine_does_with_others(tmp_path):
    settings = connect().info().get("LoggingDriver")
    with open_sandbox(Home.current(), "run-logs", "cell", lives=timedelta(minutes=5)) as sandbox:
        container = sandbox.start("suite", "busybox:1.36", ["sh", "-c", PRINTS.format(60_000)])
        container.wait()
        missing = save_log(container, tmp_path / "log.txt")
        kept = container.attrs["HostConfig"]["LogConfig"]

    assert (missing, (tmp_path / "log.txt").stat().st_size) == ("", 60_000_000), settings
    assert kept == {"Type": "json-file", "Config": {**kept["Config"], **logs.OPTIONS}}


def test_a_container_that_is_removed_under_its_log_leaves_no_connection_open(tmp_path, monkeypatch):
    """An open one would fail whichever test runs when it is collected."""
    with open_sandbox(Home.current(), "run-logs", "cell", lives=timedelta(minutes=5)) as sandbox:
        container = sandbox.start("suite", "busybox:1.36", ["echo", "said"])
        container.wait()
        monkeypatch.setattr("docker.APIClient.inspect_container", removed)
        save_log(container, tmp_path / "log.txt")
        monkeypatch.undo()

    gc.collect()
    assert (tmp_path / "log.txt").read_text() == "said\n"


def removed(*_):
    raise NotFound("it is gone")


def test_the_middle_of_a_log_above_the_limit_is_left_out_and_that_is_told(tmp_path, monkeypatch, prints):
    monkeypatch.setattr(logs, "LOG_BYTES", 2_000_000)
    lines = [f"{number:099d}\n".encode() for number in range(30_000)]

    missing = save_log(prints(*lines), tmp_path / "log.txt")

    text = (tmp_path / "log.txt").read_text()
    assert missing == "1.0 MB in the middle of the log are left out: above 2 MB"
    assert "[headway: 1.0 MB of this log are left out here]" in text
    assert text.startswith(lines[0].decode())
    assert text.endswith(lines[-1].decode())


def test_a_log_of_which_the_engine_may_have_dropped_the_beginning_says_so(tmp_path, monkeypatch, prints):
    monkeypatch.setattr(logs, "ENGINE_MEGABYTES", 1)

    missing = save_log(prints(*[b"y\n"] * 20_000), tmp_path / "log.txt")

    assert missing == "the log may lack its beginning: the engine keeps the last 1 MB at least"
    assert f"[headway: {missing}]" in (tmp_path / "log.txt").read_text()


def test_a_secret_is_not_in_a_log_however_it_comes(tmp_path, prints):
    secret = 'pass"word <1>'
    text = f'a {secret} b {{"p": "pass\\"word <1>"}} <p>pass"word &lt;1&gt;</p> ?p=pass%22word%20%3C1%3E c\n'.encode()
    chunks = [text[at : at + 5] for at in range(0, len(text), 5)]

    save_log(prints(*chunks), tmp_path / "log.txt", Redaction([SecretStr(secret)]))

    assert Path(tmp_path / "log.txt").read_text() == 'a *** b {"p": "***"} <p>***</p> ?p=*** c\n'
