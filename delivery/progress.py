"""What a long step does, told now and then."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK_SECONDS = 15.0
AGAIN_SECONDS = 60.0

# A level of its own between information and warning: whoever follows a run is shown it.
LEVEL = 25

Tell = Callable[[str], None]


@contextmanager
def told(
    step: Callable[[], str], tell: Tell, *, look_seconds: float = LOOK_SECONDS, again_seconds: float = AGAIN_SECONDS
) -> Iterator[None]:
    """Call `tell` with what `step` says and for how long it all runs: each new step, and one that lasts again."""
    ended, started = threading.Event(), time.monotonic()

    def watch() -> None:
        last, when = "", started
        while not ended.wait(look_seconds):
            doing, now = step(), time.monotonic()
            if doing and (doing != last or now - when >= again_seconds):
                tell(f"{doing} ({now - started:.0f} s since it began)")
                last, when = doing, now

    thread = threading.Thread(target=watch, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
