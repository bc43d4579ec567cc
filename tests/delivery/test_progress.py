"""What a long step does is told while it runs."""

import threading

from delivery.progress import told

HANGS_SECONDS = 60


def test_each_step_is_told_and_a_long_one_again():
    lines, enough = [], threading.Event()

    def tell(line):
        lines.append(line.partition(" (")[0])
        if lines.count("RUN npm ci") == 2:
            enough.set()

    steps = iter(["", "FROM node", *["RUN npm ci"] * 1000])
    with told(lambda: next(steps, ""), tell, look_seconds=0.001, again_seconds=0.002):
        assert enough.wait(HANGS_SECONDS)

    assert lines[:3] == ["FROM node", "RUN npm ci", "RUN npm ci"]


def test_a_short_step_is_told_by_nobody():
    lines = []

    with told(lambda: "RUN true", lines.append, look_seconds=HANGS_SECONDS):
        pass

    assert lines == []
