"""A real browser in a container, on this machine's network, driven by a script of Playwright's.

It is that of the task manager's end-to-end suite.
"""

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

from docker.models.containers import Container

from delivery.docker.engine.client import connect
from delivery.docker.engine.packing import packed
from delivery.docker.images.builder import build_image
from delivery.docker.images.registry import ensure_registry
from delivery.home import Home
from delivery.platform.orchestrator import Orchestrator
from delivery.spec.images import Image
from tests.end_to_end.project import EXAMPLES
from tests.support.builds import requested

APPROVE = Path(__file__).with_name("approve.cjs")
STRANGER = Path(__file__).with_name("stranger.cjs")
UI = Path(__file__).with_name("ui.cjs")
FOLDER = "/tmp"
PICTURES = f"{FOLDER}/pictures"
SECONDS = 400


@dataclass(frozen=True)
class Browser:
    """An image with a browser, for scripts that use a platform."""

    home: Home
    image: str

    def drive(self, script: Path, folder: Path, **env: str) -> None:
        """Run the script and put the pictures it took into `folder`; its output is told when it fails."""
        key = Orchestrator(self.home).key.get_secret_value()
        container = connect().containers.create(
            self.image,
            ["node", f"{FOLDER}/{script.name}"],
            environment={**env, "KEY": key, "NODE_PATH": "/tests/node_modules", "PICTURES": PICTURES},
            network_mode="host",
            shm_size="512m",
            init=True,
        )
        try:
            for file in (UI, script):
                container.put_archive(FOLDER, packed(file.name, file.read_bytes()))
            container.start()
            code = container.wait(timeout=SECONDS)["StatusCode"]
            _copy_out(container, folder)
            assert code == 0, f"{container.logs().decode(errors='replace')}\npictures: {folder}"
        finally:
            container.remove(force=True)


def build_browser(home: Home) -> Browser:
    """Build the image as the platform in `home` builds it for a delivery."""
    repository = f"{ensure_registry(home).address}/browser/suite-e2e"
    request = requested(EXAMPLES / "taskmanager", Image(context="tests/e2e"), name="browser", key="suites.e2e.build")
    built = build_image(request, repository=repository, home=home)
    return Browser(home, f"{repository}@{built.ref.digest}")


def _copy_out(container: Container, folder: Path) -> None:
    stream, _ = container.get_archive(PICTURES)
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        for entry in archive.getmembers():
            if content := archive.extractfile(entry):
                (folder / Path(entry.name).name).write_bytes(content.read())
