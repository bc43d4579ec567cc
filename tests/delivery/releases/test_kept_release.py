"""What an earlier Headway kept of releases: their images were named with the registry that had them then."""

import json
from typing import Any

import pytest

from delivery.changes.archive import Archive
from delivery.changes.journal import Entry
from delivery.ports.store import FolderStore
from delivery.releases.order import Built
from delivery.releases.release import ImageRef, Release
from tests.delivery.values import make_app, make_release

DIGEST = f"sha256:{1:064x}"
# As they lie in stores, journals and labels of containers.
RELEASE = (
    '{"app":"shop","revision":{"sha":"0000000000000000000000000000000000000001","tree":'
    '"0000000000000000000000000000000000000001","attributes":"","subject":"Change something","author":"A. Author",'
    '"committed":"2026-03-04T12:00:00Z"},"images":{"web":{"repository":"127.0.0.1:5000/shop/web","digest":'
    '"sha256:0000000000000000000000000000000000000000000000000000000000000001"}},"migrations_hash":"m1",'
    '"configuration_hash":"c1","created":"2026-03-04T12:00:00Z"}'
)
ENTRY = (
    '{"at":"2026-03-04T12:00:00Z","app":"shop","environment":"production","sequence":3,"run":"r1","verb":"shift",'
    f'"stage":"done","release":{RELEASE},"detail":"10 %"}}'
)
BUILT = (
    '{"images":[{"name":"web","ref":{"repository":"127.0.0.1:5000/shop/web","digest":'
    '"sha256:0000000000000000000000000000000000000000000000000000000000000001"},"builder":"b","bases":[],'
    '"seconds":0.0,"size_bytes":0}],"suites":[]}'
)
FINGERPRINT = "4266fc6cb283"  # as the Headway that kept it says


def test_a_release_kept_with_its_registry_is_read_and_is_still_the_same_release() -> None:
    release = Release.model_validate_json(RELEASE)

    assert release.fingerprint == make_release(1).fingerprint == FINGERPRINT
    assert release.images == {"web": ImageRef(repository="shop/web", digest=DIGEST)}
    assert release == make_release(1)


def test_what_a_journal_and_a_run_kept_is_read_as_well() -> None:
    assert Entry.model_validate_json(ENTRY).release == make_release(1)
    assert Built.model_validate_json(BUILT).refs() == make_release(1).images


def test_a_release_that_lies_in_the_store_already_is_found_and_made_again(tmp_path: Any) -> None:
    archive = Archive(FolderStore(tmp_path))
    archive.keep_release(make_app(), make_release(1))
    (kept,) = tmp_path.rglob("release.json")
    kept.chmod(0o644)
    kept.write_text(RELEASE)

    archive.keep_release(make_app(), make_release(1))

    assert archive.release("shop", FINGERPRINT)[1] == make_release(1)


def test_no_registry_is_written_any_more() -> None:
    written = json.loads(Release.model_validate_json(RELEASE).model_dump_json())

    assert written["images"]["web"]["repository"] == "shop/web"


@pytest.mark.parametrize(
    ("kept", "name"),
    [
        ("127.0.0.1:5000/shop/web", "shop/web"),
        ("localhost/shop/web", "shop/web"),
        ("registry:5000/shop/suite-unit", "shop/suite-unit"),
        ("registry.example.com:443/our/team/shop/web", "shop/web"),
        ("[::1]:5000/shop/web", "shop/web"),
        ("shop/web", "shop/web"),
        ("shop.example.com", "shop.example.com"),
        ("127.0.0.1:5000/web", "web"),
    ],
)
def test_the_registry_is_taken_off_whatever_it_was(kept: str, name: str) -> None:
    assert ImageRef(repository=kept, digest=DIGEST).repository == name
