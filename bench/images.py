"""Images of the application under test: one layer, and one image for each kind and number."""

from dataclasses import dataclass, field
from pathlib import Path

from docker import DockerClient

from delivery.docker.engine.packing import packed
from delivery.docker.images.bases import resolve_base
from delivery.docker.images.pushing import push
from delivery.home import Home
from delivery.releases.release import ImageRef, without_registry

APPLICATION = Path(__file__).with_name("application.py")
BASE = "python:3.11-alpine"
COMMAND = ["python3", "/application.py"]


@dataclass
class Images:
    """The images of one repository; `pushed` to its registry, or only on the engine."""

    client: DockerClient
    repository: str
    home: Home
    pushed: bool = True
    _made: dict[str, str] = field(default_factory=dict)

    def name(self, kind: str, number: int) -> str:
        """Return the name of the image that behaves as `kind` and tells `number`; it is made when it is not there."""
        tag = f"{kind}-{number}"
        if tag not in self._made:
            self._made[tag] = self._commit(self._application(), tag, [f"ENV KIND={kind}", f"ENV NUMBER={number}"])
            if self.pushed:
                push(self.client.images.get(self._made[tag]), self.repository, tag, self.home)
        return self._made[tag]

    def reference(self, kind: str, number: int) -> ImageRef:
        """Return the same image by its digest, which only a registry gives it."""
        image = self.client.images.get(self.name(kind, number))
        digests = [name.partition("@")[2] for name in image.attrs["RepoDigests"] if name.startswith(self.repository)]
        return ImageRef(repository=without_registry(self.repository), digest=digests[0])

    def remove(self) -> None:
        """Remove what was made."""
        for name in reversed(self._made.values()):
            self.client.images.remove(name, force=True)
        self._made.clear()

    def _application(self) -> str:
        if "application" not in self._made:
            base = resolve_base(BASE, home=self.home).used
            self._made["application"] = self._commit(base, "application", ["USER 1000", "HEALTHCHECK NONE"], fill=True)
        return self._made["application"]

    def _commit(self, base: str, tag: str, changes: list[str], *, fill: bool = False) -> str:
        container = self.client.containers.create(base, COMMAND, user="1000")
        try:
            if fill:
                container.put_archive("/", packed(APPLICATION.name, APPLICATION.read_bytes()))
            container.commit(self.repository, tag, changes=changes)
        finally:
            container.remove()
        return f"{self.repository}:{tag}"
