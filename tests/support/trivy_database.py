"""A small vulnerability database in Trivy's own format, and the registry artifact it is fetched as."""

import hashlib
import io
import json
import struct
import tarfile
from datetime import UTC, datetime, timedelta

import httpx

from delivery.docker.images.registry import ensure_registry
from delivery.home import Home
from tests.support.registries import key_of

PAGE = 4096
META, FREELIST, LEAF = 0x04, 0x10, 0x02
NPM = "npm::GitHub Security Advisory npm"
LAYER = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"
CONFIG = "application/vnd.aquasec.trivy.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"

ADVISORIES = {
    "data-source": {NPM: {"ID": "ghsa", "Name": "GitHub Security Advisory npm", "URL": "https://example.org"}},
    NPM: {
        "express": {"CVE-2024-43796": {"PatchedVersions": ["4.20.0"], "VulnerableVersions": ["<4.20.0"]}},
        "lodash": {"CVE-2020-8203": {"PatchedVersions": [], "VulnerableVersions": ["<=4.17.21"]}},
    },
    "vulnerability": {
        "CVE-2024-43796": {"Title": "express: XSS through redirect", "Severity": "HIGH"},
        "CVE-2020-8203": {"Title": "lodash: prototype pollution", "Severity": "CRITICAL"},
    },
}


def publish_database(home: Home, repository: str, built: datetime, advisories: dict = ADVISORIES) -> str:
    """Push a database built at that time to the platform's registry; return what `scan.database` has to say."""
    registry = ensure_registry(home).address
    metadata = {
        "Version": 2,
        "UpdatedAt": built.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "NextUpdate": (built + timedelta(hours=24)).astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
    files = {"trivy.db": bolt_file(advisories), "metadata.json": json.dumps(metadata).encode()}
    with httpx.Client(base_url=f"http://{registry}/v2/{repository}", timeout=20, auth=key_of(home)) as client:
        layer, config = _push_blob(client, _tar_gz(files)), _push_blob(client, b"{}")
        title = {"org.opencontainers.image.title": "db.tar.gz"}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, **config},
            "layers": [{"mediaType": LAYER, **layer, "annotations": title}],
        }
        client.put("/manifests/2", json=manifest, headers={"Content-Type": MANIFEST}).raise_for_status()
    return f"{registry}/{repository}:2"


def bolt_file(buckets: dict) -> bytes:
    """Return a bbolt database: dicts two deep are buckets, what is below them is JSON."""
    pages: list[bytes] = [b"", b"", struct.pack("<QHHI", 2, FREELIST, 0, 0).ljust(PAGE, b"\0")]
    root = _write_bucket(pages, {key: _as_bucket(key, value) for key, value in buckets.items()})
    for number in (0, 1):
        meta = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, PAGE, 0, root, 0, 2, len(pages), number)
        meta += struct.pack("<Q", _fnv1a(meta))
        pages[number] = (struct.pack("<QHHI", number, META, 0, 0) + meta).ljust(PAGE, b"\0")
    return b"".join(pages)


def _as_bucket(name: str, entries: dict) -> dict:
    flat = name in ("data-source", "vulnerability")
    return {
        key: json.dumps(value).encode() if flat else {cve: json.dumps(row).encode() for cve, row in value.items()}
        for key, value in entries.items()
    }


def _write_bucket(pages: list[bytes], bucket: dict) -> int:
    """Append the bucket as one leaf, its own buckets before it, and return its page number."""
    items = []
    for key in sorted(bucket, key=str.encode):
        value = bucket[key]
        if isinstance(value, dict):
            items.append((1, key.encode(), struct.pack("<QQ", _write_bucket(pages, value), 0)))
        else:
            items.append((0, key.encode(), value))
    number, elements, data = len(pages), b"", b""
    for index, (flags, key, value) in enumerate(items):
        distance = 16 * (len(items) - index) + len(data)  # from this element to its key
        elements += struct.pack("<IIII", flags, distance, len(key), len(value))
        data += key + value
    count = -(-(16 + len(elements) + len(data)) // PAGE)
    page = struct.pack("<QHHI", number, LEAF, len(items), count - 1) + elements + data
    padded = page.ljust(count * PAGE, b"\0")
    pages.extend(padded[start : start + PAGE] for start in range(0, len(padded), PAGE))
    return number


def _fnv1a(content: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in content:
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value


def _tar_gz(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _push_blob(client: httpx.Client, content: bytes) -> dict:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    upload = client.post("/blobs/uploads/").raise_for_status().headers["Location"]
    client.put(upload, params={**httpx.URL(upload).params, "digest": digest}, content=content).raise_for_status()
    return {"digest": digest, "size": len(content)}
