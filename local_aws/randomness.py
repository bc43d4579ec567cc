"""Names that moto makes up, made so that a request done again makes the same ones up."""

import random
import threading
from typing import Any

from moto.core.base_backend import AccountSpecificBackend
from moto.moto_api._internal import mock_random
from moto.moto_api._internal.moto_random import MotoRandom

_backend_of = AccountSpecificBackend.__getitem__


class _Drawn(threading.local):
    def __init__(self) -> None:
        self.numbers = random.Random()  # noqa: S311  # not a secret


_drawn = _Drawn()


class RandomOfThread(MotoRandom):
    """Numbers of each thread's own: the id of an answer is one as well, also where something is only read meanwhile."""

    def random(self) -> float:
        """Return the next number of this thread, from 0 to 1."""
        return _drawn.numbers.random()

    def getrandbits(self, k: int, /) -> int:
        """Return the next bits of this thread."""
        return _drawn.numbers.getrandbits(k)

    def seed(self, *given: Any, **named: Any) -> None:
        """Begin the numbers of this thread anew."""
        _drawn.numbers.seed(*given, **named)


def backend_of(self: AccountSpecificBackend[Any], region_name: str) -> Any:
    """Return a region, which has from its beginning what it is called for: a default VPC is named by where it is.

    It is made when somebody looks first, which may be before any change, and after a restart at another moment.
    """
    before = _drawn.numbers
    if region_name not in self.keys():
        _drawn.numbers = random.Random(f"{self.service_name} {self.account_id} {region_name}")  # noqa: S311
    try:
        return _backend_of(self, region_name)
    finally:
        _drawn.numbers = before


def repeat_numbers() -> None:
    """Let moto draw from these."""
    mock_random.__class__ = RandomOfThread  # known by its place in every module of moto
    AccountSpecificBackend.__getitem__ = backend_of  # type: ignore[method-assign]
