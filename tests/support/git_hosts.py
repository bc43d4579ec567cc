"""Hosts of repositories: one that is asked by SSH with a key, one by HTTP with a token; both real, on this machine."""

import asyncio
import base64
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import asyncssh

from tests.support.repositories import git

SECONDS = 60


@dataclass
class SshHost:
    """A host that lets in whoever has `client_key`, by ssh, to fetch."""

    port: int
    client_key: str
    known_hosts: str
    another_known_hosts: str
    asked: list[str] = field(default_factory=list)

    def address(self, repository: Path) -> str:
        return f"ssh://git@127.0.0.1:{self.port}{repository}"


@contextmanager
def ssh_host() -> Iterator[SshHost]:
    """Yield a host that listens; its repositories are the folders of this machine."""
    host_key, client_key, another = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(3))
    loop, ended = asyncio.new_event_loop(), threading.Event()
    found = SshHost(0, client_key.export_private_key().decode(), "", "")

    async def serve(process: asyncssh.SSHServerProcess[bytes]) -> None:
        found.asked.append(process.command or "")
        pipe = asyncio.subprocess.PIPE
        argv = shlex.split(process.command or "false")
        child = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, stderr=pipe)
        await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
        process.exit(await child.wait())
        await process.wait_closed()

    async def listen() -> asyncssh.SSHAcceptor:
        allowed = asyncssh.import_authorized_keys(client_key.export_public_key().decode())
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            authorized_client_keys=allowed,
            process_factory=serve,
            encoding=None,
        )

    def run() -> None:
        asyncio.set_event_loop(loop)
        listening = loop.run_until_complete(listen())
        found.port = listening.get_port()
        name = f"[127.0.0.1]:{found.port}"
        found.known_hosts = f"{name} {host_key.export_public_key().decode()}"
        found.another_known_hosts = f"{name} {another.export_public_key().decode()}"
        ended.set()
        loop.run_forever()
        listening.close()
        loop.run_until_complete(listening.wait_closed())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert ended.wait(SECONDS)
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SECONDS)


@dataclass
class HttpHost:
    """A host that gives a repository to whoever knows `token`; `told` are the passwords that it was told."""

    address: str
    told: list[str | None] = field(default_factory=list)
    redirects_to: str = ""


@contextmanager
def http_host(repository: Path, token: str) -> Iterator[HttpHost]:
    """Yield a host that serves the one repository, as files."""
    git(repository, "update-server-info")
    found = HttpHost("")
    wanted = "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(repository / ".git"))  # type: ignore[arg-type]

        def do_GET(self) -> None:
            given = self.headers.get("Authorization")
            found.told.append(given)
            if found.redirects_to:
                self.send_response(302)
                self.send_header("Location", f"{found.redirects_to}{self.path}")
                self.end_headers()
            elif given != wanted:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.end_headers()
            else:
                super().do_GET()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        found.address = f"http://127.0.0.1:{server.server_port}"
        yield found
        server.shutdown()
