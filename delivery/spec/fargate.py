"""The sizes of tasks that Fargate has, and the smallest one that holds a service.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html
"""

from collections.abc import Mapping
from typing import NamedTuple

MIB = 2**20
# Units of CPU (1/1024 of a core) → memory in MiB.
FARGATE: Mapping[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4097, 1024)),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16385, 1024)),
    4096: tuple(range(8192, 30721, 1024)),
    8192: tuple(range(16384, 61441, 4096)),
    16384: tuple(range(32768, 122881, 8192)),
}


class TaskSize(NamedTuple):
    """Units of CPU and MiB of memory."""

    cpu: int
    memory: int


def smallest_task(cpus: float | None, memory_bytes: int | None) -> TaskSize | None:
    """Return the smallest task with at least so many cores and bytes; none: Fargate has no task as large as that."""
    units, mib = (cpus or 0) * 1024, (memory_bytes or 0) / MIB
    fitting = (TaskSize(cpu, one) for cpu, sizes in FARGATE.items() if cpu >= units for one in sizes if one >= mib)
    return next(fitting, None)
