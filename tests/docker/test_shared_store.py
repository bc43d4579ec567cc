"""Two platforms in two containers with one store: neither ends what the other holds, until it is dead."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import filelock
import pytest
from docker.errors import NotFound

from delivery.changes.ledger import run_labels
from delivery.docker.engine.client import connect
from delivery.docker.images.bases import resolve_base
from delivery.home import Home
from delivery.platform.duties import Recovery

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("shared-store")]

ROOT, SITE = Path(__file__).parents[2], Path(filelock.__file__).parents[1]
BASE = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
LIMIT_SECONDS = 4.0
DEADLINE_SECONDS = 120
# A run that holds an environment, and beside it what the platform's keeper does each second.
PLATFORM = f"""
import json, os, sys, time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from delivery.changes.heartbeat import FolderHeartbeats, end_leases_of_the_dead
from delivery.changes.lease import LeaseBook
from delivery.home import Home
from delivery.platform.duties import Recovery
from tasks import heartbeat

told, run, environment = open(sys.argv[1], 'a'), *sys.argv[2:]
home, heartbeat.RENEW_SECONDS = Home.current(), {LIMIT_SECONDS / 8}
kept, leases = FolderHeartbeats.of(home), LeaseBook.of(home)
recovery = Recovery(home, SimpleNamespace(recovery=SimpleNamespace(process=lambda: None), answers=lambda: True))
kept.limit = recovery._heartbeats.limit = timedelta(seconds={LIMIT_SECONDS})
heartbeat.enter(run)
leases.take("shop", environment, holder=run, reason="release a")
while True:
    ended = [lease.holder for lease in end_leases_of_the_dead(leases, kept)]
    needed = recovery.is_needed()
    print(json.dumps(dict(
        process=os.getpid(),
        ended=ended,
        recovers=recovery._why if needed else [],
        alive=sorted(kept.alive()),
        held=[lease.holder for lease in leases.all() if lease.is_held(datetime.now(UTC))],
        beats=dict((one, kept.find(one).at.timestamp()) for one in ("r1", "r2") if kept.find(one)),
    )), file=told, flush=True)
    time.sleep(0.1)
"""


class NoServer:
    """A server that answers, and takes it that a recovery is to be started."""

    recovery = SimpleNamespace(process=lambda: None)
    answers = staticmethod(lambda: True)
    start_recovery = staticmethod(lambda: None)


class Platforms:
    """Containers of one store, each with a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.client = folder, connect()
        self.image = resolve_base(BASE, home=Home.current()).used
        self.containers = []

    def start(self, home: str, run: str, environment: str):
        """Start the platform of folder `home`; return its container and what it tells, round by round."""
        told = self.folder / home / f"told-{len(self.containers)}"
        paths = [self.folder / home, self.folder / "shared"]
        for path in paths:
            path.mkdir(exist_ok=True)
        container = self.client.containers.run(
            self.image,
            ["python3", "-c", PLATFORM, str(told), run, environment],
            detach=True,
            user=f"{os.getuid()}:{os.getgid()}",
            network_mode="none",
            working_dir="/headway",
            environment={
                "HEADWAY_HOME": str(paths[0]),
                "HEADWAY_STORE": str(paths[1]),
                "PYTHONPATH": f"/headway:{SITE}",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            volumes=[f"{ROOT}:/headway:ro", f"{SITE}:{SITE}:ro", *(f"{path}:{path}" for path in paths)],
            labels=run_labels("headway-test", "shared-store", "platform"),
        )
        self.containers.append(container)
        return container, self._rounds(container, told)

    def _rounds(self, container, path: Path) -> Iterator[dict]:
        deadline, position = time.monotonic() + DEADLINE_SECONDS, 0
        while True:
            *lines, _ = path.read_bytes()[position:].split(b"\n") if path.exists() else [b""]
            position += sum(len(line) + 1 for line in lines)
            yield from map(json.loads, lines)
            container.reload()
            assert container.status in ("created", "running") or lines, container.logs().decode()
            assert time.monotonic() < deadline, container.logs().decode()
            time.sleep(0.05)

    def remove(self) -> None:
        for container in self.containers:
            with suppress(NotFound):
                container.remove(force=True, v=True)


@pytest.fixture
def platforms(tmp_path):
    made = Platforms(tmp_path)
    try:
        yield made
    finally:
        made.remove()


def until(rounds, holds):
    """Return the rounds up to the first of which `holds` is true."""
    seen = []
    for one in rounds:
        seen.append(one)
        if holds(one):
            return seen
    raise AssertionError("unreachable: rounds do not end")


def test_neither_of_two_platforms_with_one_store_ends_the_others_leases_or_runs(platforms):
    first, of_first = platforms.start("first", "r1", "production")
    _, of_second = platforms.start("second", "r2", "staging")
    both = ["r1", "r2"]
    begun = until(of_second, lambda seen: sorted(seen["held"]) == both)[-1]

    lived_past_the_limit = [
        *until(of_second, lambda seen: seen["beats"]["r1"] > begun["beats"]["r1"] + LIMIT_SECONDS),
        *until(of_first, lambda seen: seen["beats"].get("r2", 0) > begun["beats"]["r2"] + LIMIT_SECONDS),
    ]
    first.kill()
    until_it_ended = until(of_second, lambda seen: "r1" not in seen["held"])
    recovery = Recovery(Home(platforms.folder / "first", platforms.folder / "shared"), NoServer)
    recovery._heartbeats.limit = timedelta(seconds=LIMIT_SECONDS)

    # Each is process 1 of its container: a number looked up in the other's would be found, and be another process.
    assert {seen["process"] for seen in lived_past_the_limit} == {1}
    assert [seen for seen in lived_past_the_limit if seen["ended"] or seen["recovers"]] == []
    assert lived_past_the_limit[-1]["alive"] == both
    assert sorted(lived_past_the_limit[-1]["held"]) == both
    # The dead one's lease ends after the limit; what it left is its own platform's to recover.
    assert (until_it_ended[-1]["alive"], until_it_ended[-1]["held"]) == (["r2"], ["r2"])
    assert until_it_ended[-1]["beats"]["r1"] == max(seen["beats"]["r1"] for seen in until_it_ended)
    assert [seen for seen in until_it_ended if seen["recovers"]] == []
    assert recovery.is_needed()
    assert recovery.start() == "started for production of shop, left by r1; run r1, whose process died"
