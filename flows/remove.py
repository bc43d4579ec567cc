"""Take an application off the platform: what it has is removed for good, what is known of it stays."""

import asyncio

from prefect import flow
from prefect.runtime import flow_run

from tasks.heartbeat import enter, leave
from tasks.lease import give_back
from tasks.remove import check_nobody_uses, find_remains, remove_environments, remove_images, take_leases

__all__ = ["check_nobody_uses", "find_remains", "remove"]


@flow(name="remove", flow_run_name="remove {app}", persist_result=False)
async def remove(app: str, environments: list[str], backups: bool = False) -> list[str]:
    """Remove these environments of `app`, and its images when no other stays; return the names of what was removed.

    Kept backups of their databases stay, unless `backups` is on.

    Every environment is held until all are done. Rejected, with nothing removed, while a run uses one of them. What is
    left half done, by a kill or by what runs them not answering any more, is finished by recovery.
    """
    run = str(flow_run.id)
    enter(run, begins_again=False)
    try:
        remains = await asyncio.to_thread(find_remains, app, environments)
        leases = await take_leases(remains, run)
        try:
            removed = await remove_environments(leases, run, backups=backups)
        finally:
            for lease in leases:
                await give_back(lease)
        return [*removed, *await remove_images(remains)]
    finally:
        leave(run)
