"""What the engine tells while somebody listens: whoever stops listening leaves no connection behind."""

import os
import threading
from pathlib import Path

import docker

from delivery.docker.engine.streams import end, given_back

NOTHING = {"label": ["shop.nothing"]}


def connections():
    """Return the sockets of this process."""
    files = Path("/proc/self/fd").iterdir()
    return {os.readlink(file) for file in files if file.is_symlink() and file.readlink().name.startswith("socket:")}


def test_a_stream_that_nobody_reads_to_its_end_gives_its_connection_back():
    client, before = docker.from_env(), connections()

    with given_back(client.events(decode=True, filters=NOTHING)) as kept:
        assert connections() - before

    assert kept
    client.close()
    assert connections() - before == set()


def test_a_stream_that_is_ended_from_outside_gives_its_connection_back():
    client, before = docker.from_env(), connections()
    opened = client.events(decode=True, filters=NOTHING)

    def read():
        with given_back(opened) as events:
            list(events)

    reader = threading.Thread(target=read)
    reader.start()
    end(opened)
    reader.join(60)

    client.close()
    assert connections() - before == set()
