"""Tell the Prefect server what it keeps: blocks, work pool and deployments."""

import hashlib
import sys
from importlib.metadata import version

from delivery.package_data import package_data
from delivery.platform.orchestrator import POOL, Orchestrator
from delivery.programs.run import run


def register(prefect: Orchestrator, registry: str) -> None:
    """Make the platform's blocks, pool and deployments what this version of Headway says they are."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.workers.process import ProcessWorker

    from blocks.registration import register_blocks

    register_blocks(str(prefect.home.store), registry)
    file = package_data("deployments.yaml")
    content = file.read_bytes() + str(file).encode() + sys.executable.encode() + str(prefect.home.root).encode()
    fingerprint = f"{version('headway')}+{hashlib.sha256(content).hexdigest()[:8]}"
    with get_client(sync_client=True) as client:
        known = {deployment.version for deployment in client.read_deployments()}
        if known == {fingerprint}:
            return
        if POOL not in {pool.name for pool in client.read_work_pools()}:
            template = ProcessWorker.get_default_base_job_template()
            client.create_work_pool(WorkPoolCreate(name=POOL, type=ProcessWorker.type, base_job_template=template))
    settings = {"HEADWAY_VERSION": fingerprint, "HEADWAY_PYTHON": sys.executable}
    run(
        [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)],
        timeout_seconds=180,
        env={**prefect.environment(), **settings},
        cwd=prefect.home.root,
    )
