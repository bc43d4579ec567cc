"""The keeper: a small process that starts again what `headway up` started and what died, until `headway down`."""

import signal
import threading

from delivery.home import Home
from delivery.platform.duties import duties_of
from delivery.platform.keeper import Keeper, say

ROUND_SECONDS = 1.0


def main() -> None:
    """Keep the platform of HEADWAY_HOME; asked to end, it finishes its round first: what it starts has its pid file."""
    home, ended = Home.current(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    keeper = Keeper(home, duties_of(home))
    say("keeping the platform")
    while home.up.exists() and not ended.is_set():
        keeper.round()
        ended.wait(ROUND_SECONDS)
    say("ended")


if __name__ == "__main__":
    main()
