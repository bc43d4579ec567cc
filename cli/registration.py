"""Tell the Prefect server what it keeps: blocks, work pool and deployments."""

import hashlib
import os
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import yaml

from delivery.errors import Misconfigured
from delivery.package_data import package_data
from delivery.platform.orchestrator import POOL, RESULTS_FOLDER_SETTING, RESULTS_SETTING, Orchestrator
from delivery.platform.prefect_api import SETTING
from delivery.programs.run import keys_of_the_server, run
from delivery.state import is_in_bucket


def register(prefect: Orchestrator, registry: str) -> None:
    """Make the platform's blocks, pool and deployments what this version of Headway says they are."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName
    from prefect.workers.process import ProcessWorker

    from blocks.notifications import SETTING as SETTING_OF_WHO
    from blocks.notifications import notify_by
    from blocks.registration import register_blocks

    _check_owner(prefect)
    register_blocks(prefect.home.store_address, registry, prefect.home.results_address, prefect.home.lock)
    if who := os.environ.get(SETTING_OF_WHO):
        notify_by(who)
    file, environment = package_data("deployments.yaml"), prefect.environment()
    results = (environment.get(setting, "") for setting in (RESULTS_SETTING, RESULTS_FOLDER_SETTING))
    filled = (str(file), sys.executable, str(prefect.home.root), *results)
    content = file.read_bytes()
    fingerprint = f"{version('headway')}+{hashlib.sha256(content + ''.join(filled).encode()).hexdigest()[:8]}"
    with get_client(sync_client=True) as client:
        ours = WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL]))
        known = [deployment.version for deployment in client.read_deployments(work_pool_filter=ours)]
        if known.count(fingerprint) == len(yaml.safe_load(content)["deployments"]):
            return
        if POOL not in {pool.name for pool in client.read_work_pools()}:
            template = ProcessWorker.get_default_base_job_template()
            client.create_work_pool(WorkPoolCreate(name=POOL, type=ProcessWorker.type, base_job_template=template))
    settings = {"HEADWAY_VERSION": fingerprint, "HEADWAY_PYTHON": sys.executable}
    described = prefect.home.root / "daemons" / "deployments.yaml"
    described.parent.mkdir(parents=True, exist_ok=True)  # of a server elsewhere nothing was started here yet
    described.write_text(with_variables(file.read_text(), environment))
    run(
        [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(described)],
        timeout_seconds=180,
        env={**keys_of_the_server(), **environment, **settings},  # of all programs this one needs them
        cwd=prefect.home.root,
    )


def with_variables(deployments: str, environment: Mapping[str, str]) -> str:
    """Return the file's text with those variables alone that there are: Prefect would give runs the others' names."""
    described = yaml.safe_load(deployments)
    for deployment in described["deployments"]:
        given = deployment["work_pool"]["job_variables"]
        given["env"] = {name: value for name, value in given["env"].items() if name in environment}
    return yaml.safe_dump(described, sort_keys=False)


def _check_owner(prefect: Orchestrator) -> None:
    """Return unless another platform lives on this server: its runs would be given to this one's workers."""
    from blocks.registration import registered_store

    store = registered_store()
    if store is None or store == prefect.home.store_address:
        return
    if not (prefect.elsewhere or is_in_bucket(store) or Path(store).exists()):
        return
    raise Misconfigured(
        SETTING,
        f"{prefect.api} serves the platform that keeps its state in {store}; this one is {prefect.home.root}",
        next_step="give each platform a server of its own; where the other one is gone: "
        "prefect block delete headway-artifact-store/headway",
    )
