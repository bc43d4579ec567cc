"""What all agents are: a thread that compares records with what there is, again and again."""

import logging
import threading
from abc import ABC, abstractmethod

log = logging.getLogger("headway.aws")


class Agent(ABC, threading.Thread):
    """A thread that looks until it is asked to end; a look that fails is told of and tried again."""

    name: str
    every_seconds = 0.2

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._ends = threading.Event()

    @abstractmethod
    def look(self) -> None:
        """Do what is to be done now."""

    def run(self) -> None:
        """Look until the end."""
        while not self._ends.wait(self.every_seconds):
            try:
                self.look()
            except Exception:
                log.exception("%s: this is tried again", self.name)

    def end(self) -> None:
        """Look no more, and stop what was started, whose data stays."""
        self._ends.set()
