"""What Trivy finds wrong with infra/aws: nothing, but for what stands there with its reason."""

import io
import json
import re
import tarfile

import pytest

from delivery.docker.engine.client import connect
from delivery.docker.images.bases import resolve_base
from delivery.docker.images.scanner import IMAGE
from delivery.home import Home
from tests.architecture.sources import text, tracked
from tests.infra.stacks import AWS

pytestmark = [pytest.mark.docker]
OPEN_BUCKET = """
resource "aws_s3_bucket" "open" { bucket = "open" }
resource "aws_s3_bucket_public_access_block" "open" {
  bucket            = aws_s3_bucket.open.id
  block_public_acls = false
}
"""


def findings(**more: str) -> list[str]:
    """Return what Trivy finds in infra/aws and in `more` files beside it, with the checks that it has in itself."""
    client = connect()
    argv = ["config", "--skip-check-update", "--quiet", "--format", "json", "/source"]
    container = client.containers.create(resolve_base(IMAGE, home=Home.current()).used, argv, network_mode="none")
    try:
        container.put_archive("/", archive(more))
        container.start()
        assert container.wait()["StatusCode"] == 0, container.logs().decode()
        told = json.loads(container.logs(stderr=False))
    finally:
        container.remove(force=True)
        client.close()
    results = told.get("Results", [])
    assert len(results) > 5, told  # it has looked
    return [f"{one['Target']}: {found['ID']}" for one in results for found in one.get("Misconfigurations", [])]


def archive(more: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(AWS, "source")
        for name, content in more.items():
            entry = tarfile.TarInfo(f"source/{name}.tf")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content.encode()))
    return buffer.getvalue()


def test_trivy_finds_nothing_wrong_and_would_find_a_bucket_that_is_open_to_everybody() -> None:
    found = findings(planted=OPEN_BUCKET)

    assert [one for one in found if not one.startswith("planted.tf")] == []
    assert len(found) > 3


def test_whatever_trivy_shall_not_say_stands_with_its_reason() -> None:
    files = [name for name in tracked() if name.startswith("infra/aws/") and name.endswith((".tf", ".yaml"))]
    lines = [line.strip() for name in files for line in text(name).splitlines()]
    ignored = [number for number, line in enumerate(lines) if line.startswith("#trivy:ignore:")]

    assert len(ignored) > 5
    for number in ignored:
        before = next(line for line in reversed(lines[:number]) if not line.startswith("#trivy:ignore:"))
        assert re.match(r"# \w.{20,}", before), lines[number]
