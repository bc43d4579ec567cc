"""An engine on another machine is reached by ssh, as a real client of it does, and again when the way was cut."""

import asyncio
import gc
import shutil
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest

from delivery.docker.engine.client import connect, disconnect
from delivery.docker.images.bases import resolve_base
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.programs.tunnel import SOCKET, Tunnel, tunnel_argv
from delivery.waiting import until

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh is not installed: no engine is reached by it"),
]


class Machine(asyncssh.SSHServer):
    """Lets in who has a key that it knows, and forwards sockets of this machine."""

    def unix_connection_requested(self, dest_path: str) -> bool:
        return dest_path == SOCKET


@dataclass
class Sshd:
    """A server on a port of this machine, and the files of whoever may use it."""

    port: int
    folder: Path

    @property
    def host(self) -> str:
        return f"ssh://deploy@127.0.0.1:{self.port}"


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A server whose key the client knows; the client is ssh itself, with a configuration of its own."""
    ours, theirs = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    ours.write_private_key(tmp_path / "key")
    (tmp_path / "key").chmod(0o600)
    ours.write_public_key(tmp_path / "authorized")
    loop, ready = asyncio.new_event_loop(), threading.Event()
    served: list[asyncssh.SSHAcceptor] = []

    async def serve() -> None:
        served.append(
            await asyncssh.create_server(
                Machine, "127.0.0.1", 0, server_host_keys=[theirs], authorized_client_keys=str(tmp_path / "authorized")
            )
        )
        ready.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(30)
    found = Sshd(served[0].get_port(), tmp_path)
    know(found, theirs)
    wrapper = tmp_path / "bin" / "ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {tmp_path / "config"} "$@"\n')
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(wrapper.parent), prepend=":")
    yield found
    disconnect()
    asyncio.run_coroutine_threadsafe(ended(served[0]), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)
    loop.close()


async def ended(server: asyncssh.SSHAcceptor) -> None:
    server.close()
    await server.wait_closed()


def know(sshd: Sshd, key: asyncssh.SSHKey) -> None:
    """Let the client know the server by this key."""
    line = f"[127.0.0.1]:{sshd.port} {key.export_public_key().decode()}"
    (sshd.folder / "known").write_text(line)
    (sshd.folder / "config").write_text(
        f"UserKnownHostsFile {sshd.folder / 'known'}\nStrictHostKeyChecking yes\n"
        f"IdentityFile {sshd.folder / 'key'}\nIdentitiesOnly yes\n"
    )


def test_an_engine_is_reached_by_ssh_and_what_a_program_prints_there_comes_to_its_end(sshd: Sshd) -> None:
    here, there = connect(), connect(sshd.host)
    image = resolve_base("busybox", home=Home.current()).used

    started = there.containers.run(image, ["sh", "-c", "echo one; echo two >&2"], remove=True, stderr=True)

    assert there.info()["ID"] == here.info()["ID"]
    assert {*started.decode().split()} == {"one", "two"}


# Docker's SDK leaves a socket open that it could not connect: it is collected here, and not in another test.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_way_that_was_cut_is_opened_again(sshd: Sshd) -> None:
    there = connect(sshd.host)
    before = there.info()["ID"]
    [cut] = [one for one in opened() if one.host == sshd.host]

    cut._process.kill()
    cut._process.wait()

    assert until(lambda: answered(there), seconds=30, every=0.2) == before
    gc.collect()


def test_a_machine_that_is_not_the_one_it_was_is_not_spoken_to(sshd: Sshd) -> None:
    know(sshd, asyncssh.generate_private_key("ssh-ed25519"))

    with pytest.raises(Misconfigured, match=r"ssh does not get there: (.*\n)*.*[Hh]ost key verification failed"):
        Tunnel(sshd.host).open()


def test_whoever_has_no_key_there_is_told_the_words_of_ssh(sshd: Sshd) -> None:
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(sshd.folder / "key")

    with pytest.raises(Misconfigured, match=r"ssh does not get there: (.*\n)*.*Permission denied.*\n  next: try"):
        Tunnel(sshd.host).open()


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("ssh://deploy@builder", ["-L", "/s:/var/run/docker.sock", "deploy@builder"]),
        ("ssh://builder:2222", ["-p", "2222", "-L", "/s:/var/run/docker.sock", "builder"]),
        ("ssh://deploy@builder/run/user/1000/docker.sock", ["-L", "/s:/run/user/1000/docker.sock", "deploy@builder"]),
    ],
)
def test_ssh_is_called_with_what_the_address_says_and_asks_nobody(host: str, words: list[str]) -> None:
    argv = tunnel_argv(host, Path("/s"))

    assert argv[-len(words) :] == words
    assert argv[:2] == ["ssh", "-nNT"]
    assert "BatchMode=yes" in argv


def opened() -> list[Tunnel]:
    from delivery.docker.engine import client

    return list(client._TUNNELS.values())


def answered(client) -> str:
    try:
        return str(client.info()["ID"])
    except Exception:
        return ""
