"""A deadline for what is done in sandboxes: when it has passed, what runs in them ends, and whoever waits hears so."""

import contextlib
import threading
from collections.abc import Iterator

import requests
from docker.errors import APIError

from delivery.docker.sandbox.sandbox import Sandbox
from delivery.errors import HeadwayError, Rejected

AGAIN_SECONDS = 1.0  # what was started just as the time was over ends then


class Deadline:
    """Ends the containers of the sandboxes that it holds, from the moment at which its time is over."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.passed = seconds, False
        self._held: list[Sandbox] = []
        self._over = threading.Event()

    def hold(self, sandbox: Sandbox) -> Sandbox:
        """Return the sandbox, whose containers end with the time that there is."""
        self._held.append(sandbox)
        return sandbox

    def watch(self) -> None:
        """Wait for the end of the time, and end what runs until nobody needs that any more."""
        if self._over.wait(self.seconds):
            return
        self.passed = True
        while True:
            for container in [one for sandbox in self._held for one in list(sandbox.parts.values())]:
                with contextlib.suppress(APIError, requests.RequestException):  # it ended, or is not started yet
                    container.kill()
            if self._over.wait(AGAIN_SECONDS):
                return

    def release(self) -> None:
        """Let what runs run on."""
        self._over.set()


@contextlib.contextmanager
def within(deadline: Deadline, what: str) -> Iterator[Deadline]:
    """Let a deadline count; an error that comes after it has passed is Rejected, which says how long it was."""
    watching = threading.Thread(target=deadline.watch, name=f"deadline of {what}", daemon=True)
    watching.start()
    try:
        yield deadline
    except (HeadwayError, APIError, OSError) as error:
        if deadline.passed:
            raise Rejected(f"{what} took longer than {deadline.seconds:g} s, and was ended") from error
        raise
    finally:
        deadline.release()
        watching.join()
