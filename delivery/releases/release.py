"""What is carried through the environments: revisions, images, releases and the evidence about them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator

from delivery.model import Digest, Model, hash_of

ObjectHash = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]


class Revision(Model):
    """A commit of the application's repository and the hash of what it holds."""

    sha: ObjectHash
    tree: ObjectHash = Field(
        description="tree hash of the folder with headway.yaml; a submodule's commit is part of it"
    )
    attributes: str = Field(
        "", description="hash of git's attributes that count for the folder and stand outside of it"
    )
    subject: str = ""
    author: str = ""
    committed: datetime | None = None

    @property
    def short(self) -> str:
        """The first seven characters, as git prints them."""
        return self.sha[:7]

    def has_files_of(self, other: "Revision") -> bool:
        """Whether a checkout of both gives the same files."""
        return (self.tree, self.attributes) == (other.tree, other.attributes)


class BaseImage(Model):
    """What a Dockerfile starts from, and what was used for it."""

    asked: str
    used: str
    substitute: bool = Field(description="a local stand-in built from Debian packages took its place")
    version: str = Field("", description="what a stand-in is: node 22.20.0")
    lacks: tuple[str, ...] = Field((), description="what the image that was asked for has, and a stand-in has not")

    def describe(self) -> str:
        """Return in one line what took the image's place, and what that lacks."""
        if not self.substitute:
            return self.asked if self.used == self.asked else f"{self.asked}: {self.used} takes its place"
        what = f"a stand-in made from Debian 12 packages takes its place ({self.version or self.used})"
        return f"{self.asked}: {what}" + (f"; it lacks {'; '.join(self.lacks)}" if self.lacks else "")


def without_registry(repository: str) -> str:
    """Return `app/name` of `host:port/app/name` or `host:port/prefix/app/name`; what names no host stays as it is.

    A first part is a host when it has a dot or a port, or is localhost (distribution/reference, `splitDockerDomain`).
    """
    host, _, name = repository.partition("/")
    is_host = bool(name) and (host == "localhost" or "." in host or ":" in host)
    return "/".join(name.split("/")[-2:]) if is_host else repository


class ImageRef(Model):
    """An image that cannot change: its name, relative to whichever registry has it, and a digest."""

    repository: str = Field(description="app/name; the registry of an environment says where that is")
    digest: Digest

    @field_validator("repository")
    @classmethod
    def _wherever_it_is(cls, value: str) -> str:
        """Read what an earlier Headway kept, in releases, journals and labels: the registry was part of it."""
        return without_registry(value)

    def __str__(self) -> str:
        """`app/name@sha256:…`; what an engine pulls is a registry's `reference`."""
        return f"{self.repository}@{self.digest}"


class BuiltImage(Model):
    """An image built from a revision and pushed to the registry."""

    name: str
    ref: ImageRef
    builder: str = Field(description="which client built it")
    bases: tuple[BaseImage, ...] = ()
    seconds: float = 0
    size_bytes: int = 0


class Release(Model):
    """The immutable unit of delivery; equal fingerprints are the same release."""

    app: str
    revision: Revision
    images: dict[str, ImageRef]
    migrations_hash: str
    configuration_hash: str
    created: datetime
    # What they are is in `migrations_hash` already; written only where there are any.
    contracts: tuple[str, ...] = Field((), exclude_if=lambda given: not given)

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits over images, migrations and configuration."""
        content = {
            "app": self.app,
            "images": {name: image.digest for name, image in self.images.items()},
            "migrations": self.migrations_hash,
            "configuration": self.configuration_hash,
        }
        return hash_of(content)[:12]


class Evidence(Model):
    """One thing known of a release: what was looked at, when, and what came out."""

    kind: Literal["bases", "scan", "tests", "rehearsal", "acceptance", "approval", "restore", "release"]
    subject: str = Field(description="fingerprint, digest or environment it speaks of")
    at: datetime
    outcome: Literal["pass", "fail", "inconclusive"]
    summary: str
    details: dict[str, Any] = {}
