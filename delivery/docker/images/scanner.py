"""Trivy in a container: what is in an image, read from its registry."""

import contextlib
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from uuid import uuid4

import requests
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from filelock import FileLock
from pydantic import ValidationError

from delivery.changes.ledger import LABEL_PLATFORM, LABEL_ROLE, run_labels
from delivery.docker.engine.client import connect
from delivery.docker.engine.failures import reported
from delivery.docker.engine.packing import packed
from delivery.docker.images.bases import resolve_base
from delivery.docker.images.certificates import own_bundle
from delivery.docker.images.client_config import login_file
from delivery.docker.images.holding import packed_file, save
from delivery.docker.images.registry import ensure_registry
from delivery.docker.images.registry_state import login_of, own_registry, registry_error
from delivery.docker.images.scanned_layers import ScannedLayers
from delivery.errors import Interrupted, Transient
from delivery.home import Home
from delivery.ports.registry import Registry
from delivery.ports.scanner import VulnerabilityDatabase
from delivery.programs import trivy
from delivery.releases.release import ImageRef, without_registry
from delivery.scanning.findings import ScanReport, database_status
from delivery.spec.scan import ScanPolicy

IMAGE = "aquasec/trivy:0.76.0"
SCAN_SECONDS = 600
DOWNLOAD_SECONDS = 180  # offline it fails at once; the whole database takes its time on a slow line
LOOPBACK = ("127.0.0.1", "localhost")


class _Ended(NamedTuple):
    code: int
    log: str
    output: bytes
    at: datetime


def prepare(policy: ScanPolicy, home: Home, *, run_id: str = "scanner") -> VulnerabilityDatabase:
    """Bring up the scanner's image and the newest vulnerability database that can be had within minutes.

    All runs of this platform share it; a failure is remembered for a few minutes and told in `problem`.
    """
    resolve_base(IMAGE, home=home)
    kept = _kept(home, policy.database or "").with_suffix(".json")
    kept.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(kept.with_suffix(".lock")), reported("preparing the scanner"):
        known = _known_database(kept)
        if known and known.is_current(datetime.now(UTC)):
            return known
        database = _download(policy.database, kept.stem, home, run_id, known)
        kept.write_text(database.model_dump_json(indent=2))
        return database


def last_known(policy: ScanPolicy, home: Home) -> VulnerabilityDatabase | None:
    """Return what was noted when the database was last asked for, or none; asks nobody, not even the engine."""
    try:
        return VulnerabilityDatabase.model_validate_json(
            _kept(home, policy.database or "").with_suffix(".json").read_bytes()
        )
    except (OSError, ValidationError):
        return None


def scan(
    name: str, ref: ImageRef, policy: ScanPolicy, home: Home, *, run_id: str, registry: Registry | None = None
) -> ScanReport:
    """Return what is in the image called `name`; the image is read by digest from `registry`, or the platform's own.

    Raises Transient when the scanner could not look, Rejected when its report cannot be used.
    """
    database = prepare(policy, home, run_id=run_id)
    registry = registry or own_registry(home)
    reference, config = registry.reference(ref), ""
    argv = trivy.scan_argv(reference, vulnerabilities=bool(database.volume), licences=bool(policy.forbidden_licences))
    with reported(f"scanning {name}"):
        if registry.pushes:
            ended = _look(argv, reference, home, run_id, database.volume)
        else:
            ended, config = _look_into_held(argv, ref, home, run_id, database.volume)
    parsed = trivy.parse_report(ended.output, ref, config)
    now = datetime.now(UTC)
    return ScanReport(
        image=name,
        ref=ref,
        findings=parsed.findings,
        gaps=parsed.gaps,
        packages=parsed.packages,
        scanned_at=now,
        database_built=database.built,
        database_status=database_status(database.built, now, policy.max_age_hours),
        database_problem=database.problem,
        scanner=parsed.version,
    )


def sbom(ref: ImageRef, home: Home, *, run_id: str, registry: Registry | None = None) -> bytes:
    """Return what the image consists of as CycloneDX JSON; Transient when the scanner could not look."""
    registry = registry or own_registry(home)
    reference = registry.reference(ref)
    with reported(f"listing what is in {ref}"):
        if registry.pushes:
            content = _look(trivy.sbom_argv(reference), reference, home, run_id, None).output
        else:
            content = _look_into_held(trivy.sbom_argv(reference), ref, home, run_id, None)[0].output
    if json.loads(content).get("bomFormat") != "CycloneDX":
        raise Transient(f"{ref}: the scanner wrote no CycloneDX document")
    return content


def _look(argv: Sequence[str], reference: str, home: Home, run_id: str, volume: str | None) -> _Ended:
    asked, repository = argv[: argv.index(reference)], reference.partition("@")[0]
    # By its name alone: a registry that moved has the same layers.
    layers = ScannedLayers(_kept(home, " ".join([IMAGE, without_registry(repository), *asked])).with_suffix(".layers"))
    with _trivy(argv, repository, home, run_id, volume) as container:
        if known := layers.content():
            container.put_archive("/", packed(trivy.LAYERS.lstrip("/"), known))
        ended = _finish(container, trivy.OUTPUT, SCAN_SECONDS)
        if ended.code != 0 or not ended.output:
            layers.forget()  # were it at fault, the next attempt would end as this one did
            said = f"{reference}: the scanner ended with exit code {ended.code}: {ended.log[-600:]}"
            raise registry_error(reference, ended.log, home) or Transient(said)
        layers.keep(_read(container, trivy.LAYERS))
    return ended


def _look_into_held(
    argv: Sequence[str], ref: ImageRef, home: Home, run_id: str, volume: str | None
) -> tuple[_Ended, str]:
    """Look into an image that is in no registry, and return the hash of its configuration as well.

    Nothing is remembered of its layers: it may be anybody's.
    """
    with TemporaryDirectory(prefix="headway-scan-") as temporary:
        image, config = save(ref, Path(temporary))
        with _trivy(trivy.of_archive(list(argv), f"/{image.name}"), "", home, run_id, volume) as container:
            container.put_archive("/", packed_file(image))
            ended = _finish(container, trivy.OUTPUT, SCAN_SECONDS)
    if ended.code != 0 or not ended.output:
        raise Transient(f"{ref}: the scanner ended with exit code {ended.code}: {ended.log[-600:]}")
    return ended, config


def _kept(home: Home, what: str) -> Path:
    """Return where something is kept from scan to scan; the suffix tells what it is."""
    return home.root / "scanner" / hashlib.sha256(what.encode()).hexdigest()[:12]


def _download(
    source: str | None, key: str, home: Home, run_id: str, known: VulnerabilityDatabase | None
) -> VulnerabilityDatabase:
    """Bring the database into a volume of its own, so that a scan at work keeps the one it has."""
    client, family = connect(), f"headway-{home.identity}-trivy-{key}-"
    for old in client.volumes.list(filters={"name": family}):
        if known is None or old.name != known.volume:  # replaced before, or of a download that was killed
            _remove_volume(str(old.name))
    volume = family + uuid4().hex[:8]
    client.volumes.create(volume, labels={LABEL_PLATFORM: home.identity, LABEL_ROLE: "vulnerability-database"})
    with _trivy(trivy.download_argv(source), source or "", home, run_id, volume) as container:
        ended = _finish(container, trivy.METADATA, DOWNLOAD_SECONDS)
    metadata = _metadata(ended)
    if metadata:
        return metadata.model_copy(update={"volume": volume})
    _remove_volume(volume)
    problem = f"{source or 'the default source'}: {_last_line(ended.log)}"
    return (known or VulnerabilityDatabase(checked_at=ended.at)).model_copy(
        update={"checked_at": ended.at, "next_update": None, "problem": problem}
    )


def _metadata(ended: _Ended) -> VulnerabilityDatabase | None:
    """Return the dates of a downloaded database, or none when what came is not one."""
    try:
        dates = json.loads(ended.output)
        built, following = (datetime.fromisoformat(dates[key]) for key in ("UpdatedAt", "NextUpdate"))
    except (ValueError, KeyError, TypeError):
        return None
    return VulnerabilityDatabase(checked_at=ended.at, built=built, next_update=following) if ended.code == 0 else None


@contextmanager
def _trivy(argv: Sequence[str], address: str, home: Home, run_id: str, volume: str | None) -> Iterator[Container]:
    """Create a container that reaches the registry at `address`; it is gone afterwards."""
    certificates, login = own_bundle(), login_of(address, home)
    container = connect().containers.create(
        resolve_base(IMAGE, home=home).used,
        list(argv[1:]),
        entrypoint=[argv[0]],
        labels=run_labels(home.identity, run_id, "scanner"),
        network_mode=_network(address, home),
        volumes={volume: {"bind": trivy.DATABASE, "mode": "rw"}} if volume else {},
        environment={"DOCKER_CONFIG": "/docker", **({"SSL_CERT_FILE": "/ca.crt"} if certificates else {})},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
    )
    try:
        if certificates:
            container.put_archive("/", packed("ca.crt", certificates, 0o444))
        if login:
            container.put_archive("/", packed("docker/config.json", login_file(login), 0o444))
        yield container
    finally:
        with contextlib.suppress(NotFound):
            container.remove(force=True, v=True)


def _network(address: str, home: Home) -> str:
    """Return a network in which a loopback address means what it means to the engine."""
    host = address.partition("/")[0]
    if host.partition(":")[0] not in LOOPBACK:
        return "bridge"
    registry = ensure_registry(home)
    return f"container:{registry.container}" if registry.address == host else "host"


def _finish(container: Container, wanted: str, seconds: float) -> _Ended:
    """Run the container to its end and return its exit code, its log and the file `wanted`, if it wrote it."""
    try:
        container.start()
        try:
            code = int(container.wait(timeout=seconds)["StatusCode"])
        except requests.RequestException:
            container.reload()  # raises when it is the engine that does not answer
            return _Ended(-1, f"did not end within {seconds:g} s", b"", datetime.now(UTC))
        container.reload()
        # No `tail`: the engine counts the lines of both streams and leaves out those of the other one afterwards.
        log = container.logs(stdout=False).decode(errors="replace").strip()
        return _Ended(code, log, _read(container, wanted), datetime.now(UTC))
    except NotFound as error:
        raise Interrupted("the scanner's container was removed: the run is being stopped") from error


def _read(container: Container, path: str) -> bytes:
    try:
        chunks, _ = container.get_archive(path)
    except NotFound:
        return b""
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        file = archive.extractfile(archive.getmembers()[0])
        return file.read() if file else b""


def _known_database(kept: Path) -> VulnerabilityDatabase | None:
    """Return what was noted, unless it was half written or its volume was removed since."""
    try:
        known = VulnerabilityDatabase.model_validate_json(kept.read_bytes())
        if known.volume:
            connect().volumes.get(known.volume)
    except (FileNotFoundError, ValidationError, NotFound):
        return None
    return known


def _remove_volume(name: str) -> None:
    """Remove it unless a scan still uses it; the sweep finds it then by its label."""
    with contextlib.suppress(APIError):
        connect().volumes.get(name).remove()


def _last_line(text: str) -> str:
    lines = [line.strip(" \t*") for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
