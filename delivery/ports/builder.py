"""Where the images of a release are found, built and published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from pydantic import SecretStr

from delivery.errors import Misconfigured
from delivery.progress import Tell
from delivery.releases.release import BaseImage, BuiltImage, ImageRef, Release, Revision
from delivery.spec.app import App
from delivery.spec.images import Image
from delivery.spec.stand_ins import StandIns


class Looked(NamedTuple):
    """What came of looking: a line for each image that exists nowhere, and for each that could not be looked for."""

    nowhere: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    next_step: str = ""


@dataclass(frozen=True)
class BuildRequest:
    """An image to build from the files in `source`; `key` is where headway.yaml describes it.

    `origin` is the address of the source's repository, `repository` what the image is called in the registry: app/name;
    `secrets` holds the value of each secret that a step may mount, by its id.
    """

    source: Path
    name: str
    key: str
    image: Image
    revision: Revision
    repository: str
    run: str
    origin: str = ""
    stand_ins: StandIns = "when-missing"
    secrets: Mapping[str, SecretStr] = field(default_factory=dict, repr=False)


class Builder(Protocol):
    """Finds the images that others are made of or run with, builds an application's own and publishes its release."""

    def look(self, app: App, folder: Path) -> tuple[list[tuple[str, str]], Looked]:
        """Return what is wrong between headway.yaml and its Dockerfiles, and which images can be had nowhere.

        Each problem comes with its next step; nothing is downloaded.
        """
        ...

    def find(
        self,
        names: Sequence[str],
        *,
        host: str | None = None,
        substitutes: Mapping[str, str] = {},
        stand_ins: StandIns = "when-missing",
    ) -> tuple[tuple[BaseImage, ...], tuple[Misconfigured, ...]]:
        """Return what there is for each name where `host` runs it, and why there is nothing for the others."""
        ...

    def bases_of(self, source: Path, image: Image, key: str) -> list[str]:
        """Return the images that the Dockerfile of `image` starts from, as far as it is understood.

        Raises Misconfigured for a folder, file or stage that is not there, as a build would.
        """
        ...

    def build(self, request: BuildRequest, tell: Tell) -> BuiltImage:
        """Build and push an image and return it by digest; `tell` is called with what a long build does.

        Raises Misconfigured for a folder, file, stage or base that is not there, Rejected when the Dockerfile does not
        build, Transient when what builds or the registry does not answer.
        """
        ...

    def publish(self, release: Release, run: str) -> ImageRef:
        """Push the release's manifest as `app/release:<fingerprint>` and return it by digest; the first one stays."""
        ...
