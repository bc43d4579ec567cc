"""A real browser in a container, on this machine's network, driven by a script of Playwright's.

It is that of the task manager's end-to-end suite, which is built when that is delivered.
"""

import io
import tarfile
from pathlib import Path

import docker
from docker.models.containers import Container

from delivery.docker.engine.packing import packed
from delivery.docker.images.registry import ensure_registry
from delivery.home import Home
from delivery.platform.orchestrator import Orchestrator
from tests.end_to_end.project import Project

APPROVE = Path(__file__).with_name("approve.cjs")
STRANGER = Path(__file__).with_name("stranger.cjs")
SCRIPT = "/tmp/drive.cjs"
PICTURES = "/tmp/pictures"
SECONDS = 400


def drive(delivered: Project, script: Path, folder: Path, **env: str) -> None:
    """Run the script in a browser and put the pictures it took into `folder`; its output is told when it fails."""
    client = docker.from_env()
    key = Orchestrator(Home(delivered.home)).key.get_secret_value()
    registry = ensure_registry(Home(delivered.home)).address
    image = client.images.list(filters={"reference": f"{registry}/taskmanager/suite-e2e"})[0]
    container = client.containers.create(
        image.id,
        ["node", SCRIPT],
        environment={
            **env,
            "KEY": key,
            "NODE_PATH": "/tests/node_modules",
            "PICTURES": PICTURES,
        },
        network_mode="host",
        shm_size="512m",
        init=True,
    )
    try:
        container.put_archive("/tmp", packed("drive.cjs", script.read_bytes()))
        container.start()
        code = container.wait(timeout=SECONDS)["StatusCode"]
        _copy_out(container, folder)
        assert code == 0, f"{container.logs().decode(errors='replace')}\npictures: {folder}"
    finally:
        container.remove(force=True)
        client.close()


def _copy_out(container: Container, folder: Path) -> None:
    stream, _ = container.get_archive(PICTURES)
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        for entry in archive.getmembers():
            if content := archive.extractfile(entry):
                (folder / Path(entry.name).name).write_bytes(content.read())
