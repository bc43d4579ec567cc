"""What waits to be written to the spool: all of it at once, so that the disk is waited for once and not for each."""

import asyncio
from collections.abc import Callable

from delivery.hooks.spool import Delivery, Spool


class Intake:
    """Writes deliveries in the order they came in; `tell` is called when new ones are on the disk."""

    def __init__(self, spool: Spool, tell: Callable[[], None] = lambda: None) -> None:
        self._spool, self._tell = spool, tell
        self._queue: list[tuple[Delivery, asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def keep(self, delivery: Delivery) -> bool:
        """Return when the delivery is on the disk, and whether it is new; raise what keeps it from being written."""
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._queue.append((delivery, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return await written

    async def _write(self) -> None:
        while self._queue:
            batch, self._queue = self._queue, []
            try:
                new = await asyncio.to_thread(self._spool.keep, [delivery for delivery, _ in batch])
            except Exception as error:
                for _, written in batch:
                    if not written.done():
                        written.set_exception(error)
                continue
            for (_, written), is_new in zip(batch, new, strict=True):
                if not written.done():  # whoever sent it may have gone
                    written.set_result(is_new)
            if any(new):
                self._tell()
