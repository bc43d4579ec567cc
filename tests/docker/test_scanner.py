import io
import json
import secrets
import tarfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from delivery.changes.ledger import LABEL_EXPIRES, LABEL_PLATFORM, LABEL_ROLE, LABEL_RUN
from delivery.docker.engine.client import connect
from delivery.docker.images import scanned_layers, scanner
from delivery.docker.images.pushing import push
from delivery.docker.images.registry import ensure_registry
from delivery.docker.images.scanned_layers import ScannedLayers
from delivery.errors import Interrupted, Rejected, Transient
from delivery.releases.release import ImageRef
from delivery.scanning.findings import check_scan
from delivery.spec.scan import ScanPolicy, Waiver
from tests.support.platforms import free_port, own_platform
from tests.support.registries import key_of
from tests.support.trivy_database import publish_database

pytestmark = pytest.mark.docker

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
KEY = "AKIA" + "Q3EGRZ7ZT4NQ5WXB"  # in two parts: other scanners read this file
EXPRESS = {"app/node_modules/express/package.json": json.dumps({"name": "express", "version": "4.17.1"})}
CLEAN = {"app/node_modules/express/package.json": json.dumps({"name": "express", "version": "4.21.2"})}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with own_platform(tmp_path_factory.mktemp("home")) as home:
        yield home


@pytest.fixture(scope="module")
def registry(home):
    return ensure_registry(home, preferred_port=free_port()).address


@pytest.fixture(scope="module")
def fresh(registry, home):
    """A policy whose database was built an hour ago."""
    return ScanPolicy(database=publish_database(home, "fresh", datetime.now(UTC) - timedelta(hours=1)))


@pytest.fixture(scope="module")
def image(registry, home):
    """Push an image that consists of the files given, a layer each; the engine's copies are removed at the end."""
    made = []

    def make(*layers):
        name = f"headway-test-{secrets.token_hex(4)}"
        made.extend([name, f"{registry}/{name}"])
        client = connect()
        client.api.import_image_from_data(_archive(layers[0]), repository=name, tag="1")
        for files in layers[1:]:
            context = {"Dockerfile": f"FROM {name}:1\nCOPY srv /srv\n", **files}
            client.images.build(fileobj=io.BytesIO(_archive(context)), custom_context=True, tag=f"{name}:1")
        return push(client.images.get(f"{name}:1"), f"{registry}/{name}", "1", home)

    yield make
    for name in made:
        for found in connect().images.list(name):
            connect().images.remove(found.id, force=True)


@pytest.fixture(scope="module")
def vulnerable(home, image, fresh):
    """What a scan says of an image with a vulnerable package."""
    return scanner.scan("backend", image(EXPRESS), fresh, home, run_id="test")


@pytest.fixture(scope="module")
def clean_image(image):
    return image(CLEAN)


def _archive(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def _waiver(expires):
    return Waiver(id="CVE-2024-43796", owner="Ada", reason="no redirects", expires=expires)


def _check(report, policy):
    return check_scan(report, policy, datetime.now(UTC).date())


def _verdict(home, ref, policy):
    return _check(scanner.scan("backend", ref, policy, home, run_id="test"), policy)


def test_a_vulnerable_package_blocks(vulnerable, fresh):
    with pytest.raises(Rejected, match=r"1 high vulnerability.*CVE-2024-43796 in express 4.17.1 \(fixed in 4.20.0\)"):
        _check(vulnerable, fresh).enforce()


@pytest.mark.long
def test_a_fixed_package_passes(home, clean_image, fresh):
    report = scanner.scan("backend", clean_image, fresh, home, run_id="test")

    _check(report, fresh).enforce()
    assert (report.packages, report.database_status, report.scanner) == (1, "fresh", "Trivy 0.76.0")


def test_a_waived_finding_passes_and_is_shown(vulnerable, fresh):
    verdict = _check(vulnerable, fresh.model_copy(update={"waivers": (_waiver(date.max),)}))

    verdict.enforce()
    assert [waived.finding.id for waived in verdict.waived] == ["CVE-2024-43796"]


@pytest.mark.long
def test_an_expired_waiver_blocks(vulnerable, fresh):
    policy = fresh.model_copy(update={"waivers": (_waiver(date(2026, 1, 1)),)})

    with pytest.raises(Rejected, match="the waiver of CVE-2024-43796 by Ada expired on 2026-01-01"):
        _check(vulnerable, policy).enforce()


def test_a_planted_secret_is_found_and_its_value_is_not_kept(home, image, fresh):
    ref = image({**CLEAN, "srv/settings.env": f"AWS_ACCESS_KEY_ID={KEY}\n"}, {"srv/settings.env": "removed\n"})

    report = scanner.scan("backend", ref, fresh, home, run_id="test")

    with pytest.raises(Rejected, match="1 secret, 0 allowed; first: aws-access-key-id at /srv/settings"):
        _check(report, fresh).enforce()
    assert KEY not in report.model_dump_json()
    for record in (home.root / "scanner").glob("*.layers"):
        assert KEY.encode() not in record.read_bytes()
        assert record.stat().st_mode & 0o077 == 0


@pytest.mark.long
def test_an_old_database_is_inconclusive_and_the_policy_decides(home, registry, clean_image):
    policy = ScanPolicy(database=publish_database(home, "old", datetime.now(UTC) - timedelta(days=30)))
    report = scanner.scan("backend", clean_image, policy, home, run_id="test")

    with pytest.raises(Rejected, match=r"inconclusive: the vulnerability database of .* is 720 h old, 72 h allowed"):
        _check(report, policy).enforce()
    _check(report, policy.model_copy(update={"when_inconclusive": "allow"})).enforce()


def test_no_database_is_inconclusive_and_secrets_are_found_all_the_same(home, registry, image):
    policy = ScanPolicy(database=f"{registry}/no-such-database:2")
    lenient = policy.model_copy(update={"when_inconclusive": "allow"})
    planted = image({"srv/settings.env": f"AWS_ACCESS_KEY_ID={KEY}\n"})
    clean = scanner.scan("backend", image(CLEAN), policy, home, run_id="test")

    with pytest.raises(Rejected, match=r"inconclusive: there is no vulnerability database.*no-such-database"):
        _check(clean, policy).enforce()
    _check(clean, lenient).enforce()
    with pytest.raises(Rejected, match="1 secret"):
        _verdict(home, planted, lenient).enforce()


@pytest.mark.long
def test_something_else_than_a_database_is_no_database(home, registry, clean_image, monkeypatch):
    monkeypatch.setattr("tests.support.trivy_database.bolt_file", lambda advisories: b"not a database")
    broken = publish_database(home, "broken", datetime.now(UTC))

    with pytest.raises((Rejected, Transient)):
        _verdict(home, clean_image, ScanPolicy(database=broken)).enforce()


@pytest.mark.long
def test_a_database_is_fetched_once_and_shared_by_scans_at_once(home, registry, vulnerable):
    policy = ScanPolicy(database=publish_database(home, "shared", datetime.now(UTC)))
    ref = vulnerable.ref

    with ThreadPoolExecutor(3) as pool:
        known = list(pool.map(lambda _: scanner.prepare(policy, home), range(3)))
        reports = list(pool.map(lambda name: scanner.scan(name, ref, policy, home, run_id="test"), "ab"))

    assert len({database.volume for database in known}) == 1
    assert [report.findings[0].id for report in reports] == ["CVE-2024-43796"] * 2


@pytest.mark.long
def test_a_removed_database_is_fetched_again(home, registry):
    policy = ScanPolicy(database=publish_database(home, "removed", datetime.now(UTC)))
    first = scanner.prepare(policy, home)
    connect().volumes.get(first.volume).remove()

    again = scanner.prepare(policy, home)

    assert again.volume != first.volume
    assert connect().volumes.get(again.volume).attrs["Labels"] == {
        LABEL_PLATFORM: home.identity,
        LABEL_ROLE: "vulnerability-database",
    }


def test_an_image_that_is_not_in_the_registry_is_no_clean_image(home, registry, fresh):
    missing = ImageRef(repository="nothing", digest="sha256:" + "0" * 64)

    with pytest.raises(Rejected, match="the platform's registry does not have it any more\n  next: headway run"):
        scanner.scan("backend", missing, fresh, home, run_id="test")


def _lose_the_layers(home, ref):
    """Remove the image's layers from its registry, which has no more than its manifest and its configuration then."""
    address = ensure_registry(home).address
    manifest = httpx.get(
        f"http://{address}/v2/{ref.repository}/manifests/{ref.digest}", headers={"Accept": MANIFEST}, auth=key_of(home)
    ).json()
    registry = connect().containers.get(ensure_registry(home).container)
    for layer in manifest["layers"]:
        algorithm, _, digest = layer["digest"].partition(":")
        blob = f"/var/lib/registry/docker/registry/v2/blobs/{algorithm}/{digest[:2]}/{digest}"
        assert registry.exec_run(["rm", "-r", blob]).exit_code == 0


@pytest.mark.long
def test_a_layer_that_was_scanned_before_is_not_read_again(home, image, fresh):
    ref = image({**EXPRESS, "settings.env": f"AWS_ACCESS_KEY_ID={KEY}\n"})
    first = scanner.scan("backend", ref, fresh, home, run_id="test")
    bill = json.loads(scanner.sbom(ref, home, run_id="test"))
    _lose_the_layers(home, ref)

    again = scanner.scan("backend", ref, fresh, home, run_id="test")

    assert {finding.kind for finding in again.findings} >= {"secret", "vulnerability"}
    assert (again.findings, again.packages, again.gaps) == (first.findings, first.packages, first.gaps)
    assert len(json.loads(scanner.sbom(ref, home, run_id="test"))["components"]) == len(bill["components"])
    with pytest.raises(Rejected, match="does not have it any more"):  # licences were not looked for before
        scanner.scan("backend", ref, fresh.model_copy(update={"forbidden_licences": ("AGPL-3.0",)}), home, run_id="r")


@pytest.mark.long
def test_a_record_of_layers_that_cannot_be_read_is_made_anew(home, image, fresh):
    ref = image(EXPRESS)
    folder = home.root / "scanner"
    before = set(folder.glob("*.layers"))
    scanner.scan("backend", ref, fresh, home, run_id="test")
    (record,) = set(folder.glob("*.layers")) - before
    record.write_bytes(b"half writt")

    with pytest.raises(Transient, match="the scanner ended with exit code 1"):
        scanner.scan("backend", ref, fresh, home, run_id="test")
    again = scanner.scan("backend", ref, fresh, home, run_id="test")

    assert [finding.id for finding in again.findings] == ["CVE-2024-43796"]


@pytest.mark.long
def test_a_record_of_layers_begins_anew_when_it_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(scanned_layers, "MOST_BYTES", 8)
    layers, others = ScannedLayers(tmp_path / "kept" / "web"), ScannedLayers(tmp_path / "kept" / "api")
    layers.keep(b"12345678")
    others.keep(b"others")
    assert (layers.content(), others.content()) == (b"12345678", b"others")

    layers.keep(b"123456789")

    assert (layers.content(), others.content()) == (b"", b"others")


def test_the_bill_of_materials_lists_what_is_in_the_image(home, image):
    bill = json.loads(scanner.sbom(image(EXPRESS), home, run_id="test"))

    assert bill["bomFormat"] == "CycloneDX"
    assert any(part["purl"] == "pkg:npm/express@4.17.1" for part in bill["components"] if "purl" in part)


@pytest.mark.long
def test_the_scanners_container_is_on_the_ledger_and_gone_afterwards(home, clean_image, fresh, monkeypatch):
    seen = []
    finish = scanner._finish

    def look(container, wanted, seconds):
        seen.append((container.id, container.labels))
        return finish(container, wanted, seconds)

    monkeypatch.setattr(scanner, "_finish", look)
    scanner.scan("backend", clean_image, fresh, home, run_id="r7")

    ((identity, labels),) = seen
    assert (labels[LABEL_PLATFORM], labels[LABEL_RUN], labels[LABEL_ROLE]) == (home.identity, "r7", "scanner")
    assert LABEL_EXPIRES in labels
    assert identity not in [container.id for container in connect().containers.list(all=True, ignore_removed=True)]


@pytest.mark.long
def test_a_scanner_that_is_removed_under_the_scan_is_an_interruption(home, clean_image, fresh, monkeypatch):
    finish = scanner._finish

    def swept(container, wanted, seconds):
        container.remove(force=True)
        return finish(container, wanted, seconds)

    scanner.prepare(fresh, home)
    monkeypatch.setattr(scanner, "_finish", swept)

    with pytest.raises(Interrupted, match="the run is being stopped"):
        scanner.scan("backend", clean_image, fresh, home, run_id="test")


@pytest.mark.long
def test_a_newer_database_replaces_the_one_before_the_last(home, registry, monkeypatch):
    policy = ScanPolicy(database=publish_database(home, "renewed", datetime.now(UTC) - timedelta(days=30)))
    monkeypatch.setattr("delivery.ports.scanner.LIVES", timedelta(0))

    volumes = [scanner.prepare(policy, home).volume for _ in range(3)]

    there = [volume.name for volume in connect().volumes.list() if volume.name in volumes]
    assert sorted(there) == sorted(volumes[1:])


@pytest.mark.long
def test_a_database_stays_when_there_is_no_newer_one_to_be_had(home, registry, monkeypatch):
    policy = ScanPolicy(database=publish_database(home, "lost", datetime.now(UTC) - timedelta(days=2)))
    monkeypatch.setattr("delivery.ports.scanner.LIVES", timedelta(0))
    first = scanner.prepare(policy, home)
    monkeypatch.setattr(scanner.trivy, "download_argv", lambda source: ["trivy", "image", "--no-such-flag"])

    again = scanner.prepare(policy, home)

    assert (again.volume, again.built) == (first.volume, first.built)
    assert "unknown flag" in again.problem


@pytest.mark.long
def test_a_note_that_was_half_written_is_written_again(home, registry):
    policy = ScanPolicy(database=publish_database(home, "half", datetime.now(UTC)))
    before = set((home.root / "scanner").glob("*.json"))
    scanner.prepare(policy, home)
    (note,) = set((home.root / "scanner").glob("*.json")) - before
    note.write_text('{"checked_at": "2026-')

    assert scanner.prepare(policy, home).built is not None
