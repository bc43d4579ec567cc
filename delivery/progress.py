"""What a long build does, told now and then."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from delivery.programs.buildkit import Progress

LOOK_SECONDS = 15.0
AGAIN_SECONDS = 60.0

# A level of its own between information and warning: whoever follows a run is shown it.
LEVEL = 25

Tell = Callable[[str], None]


@contextmanager
def told(
    progress: Progress, tell: Tell, *, look_seconds: float = LOOK_SECONDS, again_seconds: float = AGAIN_SECONDS
) -> Iterator[None]:
    """Call `tell` with the step a build is in and for how long it runs: each new one, and one that lasts again."""
    ended, started = threading.Event(), time.monotonic()

    def watch() -> None:
        last, when = "", started
        while not ended.wait(look_seconds):
            step, now = progress.step, time.monotonic()
            if step and (step != last or now - when >= again_seconds):
                tell(f"{step} ({now - started:.0f} s since the build began)")
                last, when = step, now

    thread = threading.Thread(target=watch, name="build progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
