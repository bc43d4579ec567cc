"""Two processes in two containers that share nothing but a bucket: they never hold one lease together."""

import json
import os
import random
import sys
import threading
from itertools import pairwise
from pathlib import Path

import filelock
import pytest

from delivery.changes.ledger import run_labels
from delivery.docker.engine.client import connect
from delivery.docker.images.bases import resolve_base
from delivery.home import Home
from tests.support.local_aws import local_aws

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("local-aws-leases")]

ROOT, SITE = Path(__file__).parents[2], Path(filelock.__file__).parents[1]
BASE = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
# The monotonic clock is the machine's: what two containers read of it can be compared.
RACER = """
import json, sys, time
from delivery.aws.s3_leases import S3Leases
from delivery.errors import Rejected, Transient
from tests.support.local_aws import Server
_, url, holder, tries = sys.argv
leases = S3Leases(Server.at(url).access(tries=3).client("s3"), "leases")
for number in range(int(tries)):
    lease = since = until = None
    try:
        lease = leases.take("shop", "production", holder=f"{holder}-{number}", reason="race")
        since = time.monotonic()
        lease = leases.renew(lease)
        until = time.monotonic()
    except (Transient, Rejected):
        pass
    while lease:
        until = until or time.monotonic()
        try:
            leases.give_back(lease)
            break
        except Transient:
            continue
    print(json.dumps({"sequence": lease.sequence, "since": since, "until": until} if lease else {"refused": number}))
"""
FAULTS = ("throttled", "answer lost", "error")


@pytest.mark.parametrize("tries", [20, pytest.param(5000, marks=[pytest.mark.long, pytest.mark.timeout(3000)])])
def test_no_lease_is_held_by_two_under_throttles_and_lost_answers(tmp_path, tries, record_property):
    image = resolve_base(BASE, home=Home.current()).used
    with local_aws(tmp_path) as server:
        server.client("s3").create_bucket(Bucket="leases")
        racers = [start(image, server.url, name, tries) for name in ("one", "two")]
        over = threading.Event()
        trouble = threading.Thread(target=make_trouble, args=(server, over))
        trouble.start()
        try:
            codes = [racer.wait(timeout=2900)["StatusCode"] for racer in racers]
            said = [racer.logs().decode() for racer in racers]
        finally:
            over.set()
            trouble.join()
            for racer in racers:
                racer.remove(force=True)

    assert codes == [0, 0], said
    told = [json.loads(line) for lines in said for line in lines.splitlines()]
    held = sorted((one for one in told if "sequence" in one), key=lambda one: one["since"])
    record_property("tries", len(told))
    record_property("held", len(held))
    assert len(told) == 2 * tries
    assert len(held) > tries / 10
    assert len({one["sequence"] for one in held}) == len(held)
    assert [pair for pair in pairwise(held) if pair[0]["until"] > pair[1]["since"]] == []
    assert [one["sequence"] for one in held] == sorted(one["sequence"] for one in held)


def start(image, url, holder, tries):
    return connect().containers.run(
        image,
        ["python3", "-c", RACER, url, holder, str(tries)],
        detach=True,
        user=f"{os.getuid()}:{os.getgid()}",
        network_mode="host",  # the way to the bucket
        working_dir="/headway",
        environment={"PYTHONPATH": f"/headway:{SITE}", "PYTHONDONTWRITEBYTECODE": "1"},
        volumes=[f"{ROOT}:/headway:ro", f"{SITE}:{SITE}:ro"],
        labels=run_labels("headway-test", "leases", "racer"),
    )


def make_trouble(server, over):
    """Put one fault after the other in the way, until it is over."""
    chosen = random.Random(7)
    while not over.wait(0.7):
        kind, method = chosen.choice(FAULTS), chosen.choice(("PUT", "GET", "HEAD"))
        server.put_faults({"service": "s3", "operation": f"{method} .*", "kind": kind})
    server.put_faults()
