"""Run every test: `python -m tests [arguments of pytest]`. Docker is set up first, and the base images are made."""

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from delivery.docker.images.bases import resolve_base
from delivery.errors import HeadwayError
from delivery.home import Home
from delivery.platform.engine import ensure_engine

# What most tests start from; made before the first one, so that none of them waits for it.
BASES = ("haproxy:2.6", "postgres:15-alpine", "python:3.11-alpine", "node:22-alpine", "registry:2", "busybox")


def main() -> int:
    home = Home.current()
    try:
        ensure_engine(home)
        with ThreadPoolExecutor() as pool:
            list(pool.map(partial(resolve_base, home=home), BASES))
    except HeadwayError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and so would runs
    os.chdir(Path(__file__).resolve().parents[1])
    return int(pytest.main(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
