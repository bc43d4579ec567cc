"""How repositories elsewhere are reached, as the command line says it."""

from tasks.repositories import give_access

__all__ = ["give_access"]
