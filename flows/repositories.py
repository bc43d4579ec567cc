"""How repositories elsewhere are reached, as the command line says it."""

from tasks.descriptions import described
from tasks.repositories import give_access

__all__ = ["described", "give_access"]
