"""From an image on the engine to one in a registry, known by its digest."""

import json
from datetime import UTC
from uuid import uuid4

from docker.errors import APIError
from docker.models.images import Image

from delivery.changes.ledger import LABEL_APP, LABEL_RELEASE
from delivery.docker.engine.client import connect
from delivery.docker.engine.disk import disk_message, free_bytes
from delivery.docker.engine.failures import reported
from delivery.docker.engine.packing import packed
from delivery.docker.images.registry import ensure_registry
from delivery.docker.images.registry_state import login_of, registry_error
from delivery.errors import HeadwayError, Rejected, Transient
from delivery.home import Home
from delivery.ports.registry import Registry
from delivery.programs.buildkit import says_disk_full
from delivery.releases.release import ImageRef, Release, without_registry


def push_once(image: Image, repository: str, home: Home) -> ImageRef:
    """Push the image under a tag of its own where tags stay what they are, unless it is there; return it by digest."""
    tag = f"{str(image.id).removeprefix('sha256:')[:32]}"
    with reported(f"looking for {repository}:{tag}"):
        there = _in_registry(repository, tag, home)
    return there or push(image, repository, tag, home)


def push(image: Image, repository: str, tag: str, home: Home | None = None) -> ImageRef:
    """Push the image to `host:port/app/name` and return it by the digest the registry was told.

    Raises Transient when the registry does not take it, Rejected when the disk is full. The platform's own registry,
    that of `home`, is started again when that is why.
    """
    home = home or Home.current()
    with reported(f"pushing {repository}:{tag}"):
        image.tag(repository, tag)
        login = login_of(repository, home)
        said = list(connect().api.push(repository, tag=tag, stream=True, decode=True, auth_config=login))
        for event in said:
            if "error" in event:
                if says_disk_full(event["error"]):
                    raise Rejected(f"pushing {repository}:{tag}: {disk_message(free_bytes())}")
                raise _not_taken(f"{repository}:{tag}", event["error"].strip(), home)
            if digest := event.get("aux", {}).get("Digest"):
                return ImageRef(repository=without_registry(repository), digest=digest)
        # An engine that keeps images in containerd does not say it while it pushes.
        known = (name.partition("@") for name in connect().images.get(f"{repository}:{tag}").attrs["RepoDigests"])
        for name, _, digest in known:
            if name == repository:
                return ImageRef(repository=without_registry(repository), digest=digest)
    raise Transient(f"pushing {repository}:{tag}: the registry confirmed no digest")


def _not_taken(name: str, said: str, home: Home) -> Transient | Rejected:
    """Return why the registry did not take an image; the platform's own is started again where that is possible."""
    trouble = registry_error(name, said, home)
    if trouble is None:
        return Transient(f"pushing {name}: {said}; is the registry up?")
    try:
        ensure_registry(home, may_move=False)
    except HeadwayError as error:
        return Transient(f"pushing {trouble}\n{error}")
    return Transient(f"pushing {trouble}")


def publish_release(release: Release, *, registry: Registry, home: Home, run_id: str) -> ImageRef:
    """Push the release's manifest as a tiny image `app/release:<fingerprint>` and return it by digest.

    The first one stays: the same release published again is the one that is there.
    """
    registry.prepare(f"{release.app}/release")
    repository, tag = registry.repository(f"{release.app}/release"), release.fingerprint
    local = f"headway-{home.identity}-release"
    name = f"{local}:{uuid4().hex[:12]}"
    with reported(f"publishing release {release.fingerprint} of run {run_id}"):
        client = connect()
        if there := _in_registry(repository, tag, home):
            return there
        client.api.import_image_from_data(
            packed("release.json", release.model_dump_json(indent=2).encode(), 0o444),
            repository=local,
            tag=name.rpartition(":")[2],
            changes=[f"LABEL {key}={json.dumps(value)}" for key, value in _labels(release).items()],
        )
        image = client.images.get(name)
        try:
            return push(image, repository, tag, home)
        finally:
            client.images.remove(str(image.id), force=True)  # the registry has it


def _in_registry(repository: str, tag: str, home: Home) -> ImageRef | None:
    """Return what the registry has under that tag; asked through the engine, which knows the way there."""
    try:
        found = connect().images.get_registry_data(f"{repository}:{tag}", auth_config=login_of(repository, home))
    except APIError:
        return None
    return ImageRef(repository=without_registry(repository), digest=str(found.id))


def _labels(release: Release) -> dict[str, str]:
    return {
        "org.opencontainers.image.title": f"{release.app} release {release.fingerprint}",
        "org.opencontainers.image.revision": release.revision.sha,
        "org.opencontainers.image.created": release.created.astimezone(UTC).isoformat(),
        LABEL_APP: release.app,
        LABEL_RELEASE: release.fingerprint,
    }
