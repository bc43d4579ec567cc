"""The engines of other machines that environments of this platform run on: what is swept and removed, is there too."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock
from pydantic import TypeAdapter, ValidationError

from delivery.errors import HeadwayError
from delivery.home import Home

_log = logging.getLogger(__name__)
_HOSTS = TypeAdapter(tuple[str, ...])
_T = TypeVar("_T")


def remember_host(home: Home, host: str | None) -> None:
    """Keep that environments run on the engine at `host`; none is this machine's own."""
    if host is None or host in _read(_file(home)):
        return
    home.ensure()
    with FileLock(f"{_file(home)}.lock"):
        _file(home).write_bytes(_HOSTS.dump_json(tuple(sorted({*_read(_file(home)), host}))))


def known_hosts(home: Home) -> tuple[str | None, ...]:
    """Return the engines that things of this platform may be on, this machine's own first."""
    return (None, *_read(_file(home)))


def on_each(home: Home, act: Callable[[str | None], Iterable[_T]]) -> list[_T]:
    """Return what `act` returns of every engine; what another machine's says instead is warned of, and no more.

    What this machine's own engine raises is passed on.
    """
    found: list[_T] = []
    for host in known_hosts(home):
        try:
            found += act(host)
        except HeadwayError as error:
            if host is None:
                raise
            _log.warning("the engine at %s was left out: %s", host, error)
    return found


def _file(home: Home) -> Path:
    return home.root / "engines.json"


def _read(file: Path) -> tuple[str, ...]:
    try:
        return _HOSTS.validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return ()
