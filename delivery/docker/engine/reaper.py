"""Cleaning up after a driver that was killed: a small process that outlives it.

It blocks on a pipe to the driver. A driver that ends well says so; when the pipe closes without a word, the driver
is dead and everything with the given labels is removed.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import IO

from delivery.changes.ledger import LABEL_PLATFORM, LABEL_RUN

DONE = b"done\n"


def reaper(run_id: str, platform: str, *, host: str | None = None) -> contextlib.AbstractContextManager[None]:
    """Have everything of a run removed should this process die inside; nothing happens when it leaves alive."""
    return guarded({LABEL_PLATFORM: platform, LABEL_RUN: run_id}, host=host)


@contextlib.contextmanager
def guarded(labels: Mapping[str, str], *, host: str | None = None) -> Iterator[None]:
    """Have everything with all of `labels` removed should this process die inside."""
    from delivery.programs.watchdog import start_watchdog  # the reaper's own process does without

    # -P: what lies in the folder it is started in is nothing to import, whatever its name.
    argv = [sys.executable, "-P", "-m", "delivery.docker.engine.reaper", json.dumps(dict(labels)), host or ""]
    pipe = start_watchdog(argv, {})
    try:
        yield
    finally:
        with contextlib.suppress(BrokenPipeError):  # somebody ended it; then there is nobody to tell
            pipe.write(DONE)
            pipe.close()


def wait_and_reap(pipe: IO[bytes], labels: Mapping[str, str], host: str | None = None) -> bool:
    """Wait for the driver's end; when it died, remove everything with `labels` on its engine and return true."""
    if pipe.read() == DONE:
        return False
    from delivery.docker.engine.client import connect  # only now: a second of imports that is hardly ever needed
    from delivery.docker.engine.sweep import remove_until_gone

    return remove_until_gone(lambda: connect(host), labels)


if __name__ == "__main__":
    os.chdir("/")
    wait_and_reap(sys.stdin.buffer, json.loads(sys.argv[1]), sys.argv[2] or None)
