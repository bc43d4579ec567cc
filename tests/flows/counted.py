"""A flow that fails once after a step that must not be done twice."""

from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run

from delivery.errors import Rejected
from tasks.step import recorded, step


@step(timeout_seconds=60)
def count(seen: str) -> int:
    file = Path(seen)
    number = int(file.read_text()) + 1 if file.exists() else 1
    file.write_text(str(number))
    return number


@flow(name="count once", persist_result=True)
async def count_once(seen: str) -> int:
    with recorded(str(flow_run.id)):
        number = await count(seen)
    if flow_run.run_count == 1:
        raise Rejected("the first time")
    return number
