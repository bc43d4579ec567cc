"""Processes that watch this one through a pipe and outlive it."""

import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import IO, cast

from delivery.programs.run import without_keys


def start_watchdog(argv: Sequence[str], env: Mapping[str, str]) -> IO[bytes]:
    """Start a process in a session of its own and return its standard input, which closes when this process dies."""
    process = subprocess.Popen(
        list(argv),
        env={**without_keys(), **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    threading.Thread(target=process.wait, name=f"watchdog {process.pid}", daemon=True).start()  # leaves no zombie
    return cast(IO[bytes], process.stdin)
