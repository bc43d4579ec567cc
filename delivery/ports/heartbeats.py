"""Which runs have a living process, and where: the orchestrator alone cannot tell after a kill -9.

A process number means something in one process table only. Where a heartbeat is of the same host, boot and process
namespace as whoever asks, the process itself is looked for; of any other it is known when it last said that it lives.
"""

from collections.abc import Set
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from pydantic import Field

from delivery.model import Model

RENEW_SECONDS = 10.0
LIMIT_SECONDS = 30.0  # three times, and as long as a lease that nobody renews
INITIAL_NAMESPACE = "pid:[4026531836]"  # Linux, include/linux/proc_ns.h: PROC_PID_INIT_INO; no container has it


class Whereabouts(Model):
    """Where a process is."""

    hostname: str
    machine: str = Field("", description="/etc/machine-id; containers of one image may have the same")
    boot: str = Field("", description="/proc/sys/kernel/random/boot_id: new whenever the machine starts")
    namespace: str = Field("", description="of process numbers: a container has its own")

    def is_before_restart_of(self, other: "Whereabouts") -> bool:
        """Whether this is the machine `other` is, before it was started again.

        Said of machines alone: containers on two machines may have the same name, and no machine-id of their own.
        """
        same = (self.hostname, self.machine) == (other.hostname, other.machine) and self.machine != ""
        outside = self.namespace == other.namespace == INITIAL_NAMESPACE
        return same and outside and "" not in (self.boot, other.boot) and self.boot != other.boot


class Heartbeat(Model):
    """The process that carries a run, and when it last said that it lives."""

    run: str
    where: Whereabouts
    process: int
    started: float = Field(description="since the machine's start, in ticks of its clock; 0: not known")
    at: datetime = Field(description="when it last said that it lives, by its own clock")
    platform: str = Field("", description="identity of the platform that started the run")
    attempts: int = 1
    begins_again: bool = Field(True, description="whether the run is started again when its process dies")
    attended: bool = Field(False, description="its death is known, and its run waits for a process of its own")

    def is_of(self, other: "Heartbeat") -> bool:
        """Whether both are of the same process."""
        return (self.run, self.where, self.process, self.started) == (
            other.run,
            other.where,
            other.process,
            other.started,
        )


class Heartbeats(Protocol):
    """One heartbeat for each run that has begun and not ended."""

    def enter(self, run: str, *, begins_again: bool = True) -> Heartbeat:
        """Write down that this process carries `run`."""
        ...

    def renew(self, heartbeat: Heartbeat) -> bool:
        """Say again that the run's process lives; False, with nothing done, when the run ended or goes on elsewhere."""
        ...

    def leave(self, run: str) -> None:
        """Forget `run`: it has ended."""
        ...

    def find(self, run: str) -> Heartbeat | None:
        """Return who carries `run`, alive or not."""
        ...

    def is_alive(self, heartbeat: Heartbeat) -> bool:
        """Whether its process is there or, on another host, was heard of within the limit."""
        ...

    def is_ours(self, heartbeat: Heartbeat) -> bool:
        """Whether this platform started the run."""
        ...

    def alive(self) -> Set[str]:
        """Return the runs that somebody carries now, of all platforms."""
        ...

    def dead(self) -> list[Heartbeat]:
        """Return those whose process died before the run had ended, of all platforms."""
        ...

    def unattended(self) -> list[Heartbeat]:
        """Return this platform's dead that nobody has looked after yet."""
        ...

    def attend(self, dead: Heartbeat) -> None:
        """Note that nothing more has to be done about this death, unless another process carries the run by now."""
        ...

    def alone(self) -> AbstractContextManager[bool]:
        """Yield whether this process is the only one that looks after the dead now; it never waits."""
        ...
