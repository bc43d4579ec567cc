"""The way to an engine on another machine by ssh: its socket, forwarded to one of this machine.

Docker's SDK speaks to an engine through `ssh … docker system dial-stdio`, over which no stream can be ended and no
command inside a container be fed. ssh itself forwards the socket (ssh(1), `-L local_socket:remote_socket`).
"""

import atexit
import contextlib
import subprocess
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

from delivery.errors import Misconfigured
from delivery.programs.run import without_keys
from delivery.waiting import until

SOCKET = "/var/run/docker.sock"
OPEN_SECONDS = 30.0
AGAIN_SECONDS = 1.0
LAST_LINES = 3
_OPTIONS = {
    "BatchMode": "yes",  # nobody is there to answer a question
    "ExitOnForwardFailure": "yes",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "StreamLocalBindUnlink": "yes",
}


def tunnel_argv(host: str, socket: Path) -> list[str]:
    """Return the call that forwards the engine's socket at `ssh://user@machine:port/path` to `socket`."""
    parts = urlsplit(host)
    options = [word for key, value in _OPTIONS.items() for word in ("-o", f"{key}={value}")]
    port = ["-p", str(parts.port)] if parts.port else []
    user = f"{parts.username}@" if parts.username else ""
    there = parts.path if parts.path not in ("", "/") else SOCKET
    return ["ssh", "-nNT", *options, *port, "-L", f"{socket}:{there}", f"{user}{parts.hostname}"]


class Tunnel:
    """A forwarded socket for as long as this process lives; ssh is started again when it ends."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._folder = tempfile.TemporaryDirectory(prefix="headway-ssh-")
        self._socket, self._log = Path(self._folder.name) / "engine.sock", Path(self._folder.name) / "log"
        self._closed = threading.Event()
        self._process = self._start()
        atexit.register(self.close)

    @property
    def address(self) -> str:
        """What the engine is reached by here."""
        return f"unix://{self._socket}"

    def open(self) -> "Tunnel":
        """Return when the socket is there; Misconfigured, with the words of ssh, when it does not come."""
        if not until(self._socket.exists, seconds=OPEN_SECONDS, every=0.05, unless=lambda: self._process.poll()):
            said = "\n".join(self._log.read_text(errors="replace").splitlines()[-LAST_LINES:]) or "nothing was said"
            self.close()
            raise Misconfigured(
                f"Docker at {self.host}", f"ssh does not get there: {said}", next_step=f"try: docker -H {self.host} ps"
            )
        threading.Thread(target=self._keep, name="ssh", daemon=True).start()
        return self

    def close(self) -> None:
        """End it."""
        self._closed.set()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._log.open("w") as log:
            return subprocess.Popen(
                tunnel_argv(self.host, self._socket),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=without_keys(),
                start_new_session=True,
            )

    def _keep(self) -> None:
        while not self._closed.is_set():
            self._process.wait()
            if self._closed.wait(AGAIN_SECONDS):
                return
            with contextlib.suppress(OSError):  # closed meanwhile
                self._process = self._start()
