"""Where the images of releases are kept: a release names them relative to it, whoever pulls or pushes asks here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from pydantic import SecretStr

from delivery.errors import Misconfigured
from delivery.releases.release import ImageRef
from delivery.scanning.findings import RegistryScan
from delivery.spec.scan import ScanPolicy
from delivery.spec.target import TargetSettings
from delivery.waiting import until

WAIT_SECONDS = 300.0  # a scan begins with the push; a large image takes a minute or two
LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class Login:
    """Whom a registry lets in."""

    server: str
    user: str
    password: SecretStr = field(repr=False)


@dataclass(frozen=True)
class Registry:
    """A registry of images; `address` (`host:port`, or `host:port/prefix`) is asked for each time, for it may move.

    `login` is asked for each time as well, because it may end; none: the one that the engine's user has, or nobody's.
    `prepare` is called with `app/name` before an image is pushed there for the first time, `look` says how it is there
    without changing anything; none: there is nothing to be prepared. `keeps_tags`: a tag that is there stands for its
    image for good, and whoever gives it to another one is refused. `findings` returns what a scan of the registry's own
    found in an image, nothing while it goes on; none: it has no scan. Without `pushes` images stay on the engine that
    built them, and are known by what they are called there.
    """

    address: Callable[[], str]
    login: Callable[[], Login] | None = None
    prepare: Callable[[str], None] = lambda _: None
    look: Callable[[str], str] | None = None
    keeps_tags: bool = False
    findings: Callable[[ImageRef], RegistryScan | None] | None = None
    pushes: bool = True

    @classmethod
    def at(cls, address: str) -> "Registry":
        """Return the registry that is always there."""
        return cls(partial(str, address))

    @classmethod
    def none(cls) -> "Registry":
        """Return no registry: nothing is pushed."""
        return cls(str, pushes=False)

    def repository(self, name: str) -> str:
        """Return where images called `app/name` are pushed to."""
        return f"{self.address()}/{name}"

    def reference(self, ref: ImageRef) -> str:
        """Return what is pulled or run for an image of a release: it is the same wherever it is, by its digest."""
        return f"{self.repository(ref.repository)}@{ref.digest}" if self.pushes else ref.digest


def check_registry(policy: ScanPolicy, registry: Registry) -> None:
    """Return when what the registry finds is not asked for, or it has a scan; Misconfigured when it has none."""
    if policy.registry == "add" and registry.findings is None:
        raise Misconfigured(
            "headway.yaml: scan.registry",
            f"add, but the registry {registry.address()} has no scan of its own",
            "ignore",
            next_step="leave scan.registry out, or keep images in ECR: HEADWAY_REGISTRY=ecr://PREFIX headway up",
        )


def check_reached(target: TargetSettings, registry: Registry, environment: str) -> None:
    """Return when an environment's target can pull from the registry; Misconfigured when it can never."""
    address = registry.address()
    if not target.reaches(address):
        raise Misconfigured(
            f"headway.yaml: environments.{environment}.target",
            f"images are in {address}, a registry of this machine, which it does not reach",
            next_step="HEADWAY_REGISTRY=ecr://PREFIX headway up, or `registry` in the environment's block",
        )


def registry_scan(registry: Registry, image: ImageRef, wait_seconds: float = WAIT_SECONDS) -> RegistryScan:
    """Return what the registry found in an image, or in `problem` that it did not say so in time."""
    asked = registry.findings
    assert asked
    found = until(lambda: asked(image), seconds=wait_seconds, every=LOOK_SECONDS)
    return found or RegistryScan(problem=f"the registry's own scan of {image} did not end within {wait_seconds:.0f} s")
