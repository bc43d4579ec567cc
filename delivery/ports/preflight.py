"""What an environment needs, looked at before anything is changed: each thing in a line of its own."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import Field

from delivery.errors import HeadwayError, Misconfigured
from delivery.model import Model


class Finding(Model):
    """One thing that was looked at."""

    what: str
    is_well: bool
    found: str = Field(description="how it is, or what is wrong with it")
    next_step: str = ""


@dataclass(frozen=True)
class Look:
    """A question that changes nothing; `ask` returns how the thing is, and raises what is wrong with it."""

    what: str
    ask: Callable[[], str]

    def finding(self) -> Finding:
        """Ask it."""
        try:
            return Finding(what=self.what, is_well=True, found=self.ask())
        except Misconfigured as error:
            found = f"{error.where}: {error.found}" + (f"; allowed: {error.allowed}" if error.allowed else "")
            return Finding(what=self.what, is_well=False, found=found, next_step=error.next_step)
        except (HeadwayError, OSError) as error:
            found, _, step = str(error).partition("\n  next: ")
            return Finding(what=self.what, is_well=False, found=found, next_step=step)


def look_at(looks: Iterable[Look]) -> list[Finding]:
    """Return what came of all of them: what is wrong with one keeps nobody from hearing of the others."""
    return [look.finding() for look in looks]
