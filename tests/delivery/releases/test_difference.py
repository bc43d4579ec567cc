"""What tells two releases apart is told by name, and no value of a key is."""

from typing import Any

from delivery.releases.difference import Known, differ
from delivery.releases.release import Evidence, Release
from tests.delivery.values import NOON, make_app, make_release


def known(
    number: int, *, app: dict[str, Any] | None = None, findings: list[str] | None = None, size: int = 10
) -> Known:
    release = make_release(number)
    details = {
        "image": "web",
        "size_bytes": size,
        "findings": [{"severity": "LOW", "id": one, "package": "zip", "version": "1"} for one in findings or ()],
    }
    scan = Evidence(kind="scan", subject="web", at=NOON, outcome="pass", summary="", details=details)
    return Known(f"release {number}", make_app(**(app or {})), release, [scan] if findings is not None else [])


def test_the_same_release_differs_in_nothing() -> None:
    told = differ(known(1, findings=[]), known(1, findings=[]))
    assert told.is_empty
    assert [one.how for one in told.images] == ["same"]
    assert (told.keys, told.migrations, told.new_findings, told.gone_findings) == ((), False, (), ())


def test_images_are_told_by_digest_and_size() -> None:
    (image,) = differ(known(1, findings=[], size=10), known(2, findings=[], size=30)).images
    assert (image.name, image.how, image.old_bytes, image.new_bytes) == ("web", "changed", 10, 30)
    assert (image.old, image.new) == (make_release(1).images["web"].digest, make_release(2).images["web"].digest)


def test_an_image_that_came_or_went_is_told() -> None:
    old, new = known(1), known(2)
    fewer = new._replace(release=Release.model_validate(new.release.model_dump() | {"images": {}}))
    assert [one.how for one in differ(old, fewer).images] == ["removed"]
    assert [one.how for one in differ(fewer, old).images] == ["added"]


def test_findings_that_came_and_went_are_told_and_unknown_ones_are_not_none() -> None:
    told = differ(known(1, findings=["CVE-1", "CVE-2"]), known(2, findings=["CVE-2", "CVE-3"]))
    unknown = differ(known(1), known(2, findings=["CVE-3"]))
    assert (told.new_findings, told.gone_findings) == (("web LOW CVE-3 zip 1",), ("web LOW CVE-1 zip 1",))
    assert (unknown.new_findings, unknown.gone_findings) == (None, None)


def test_keys_are_told_without_what_stands_behind_them() -> None:
    services = {"web": {"port": 8000, "env": {"TOKEN": "canary-1", "URL": "canary-2"}}}
    changed = {"web": {"port": 9000, "env": {"TOKEN": "canary-3"}, "secrets": {"KEY": "canary-4"}}}
    told = differ(known(1, app={"services": services}), known(2, app={"services": changed}))
    assert [(one.how, one.key) for one in told.keys] == [
        ("changed", "services.web.env.TOKEN"),
        ("removed", "services.web.env.URL"),
        ("changed", "services.web.port"),
        ("added", "services.web.secrets.KEY"),
    ]
    assert "canary" not in told.model_dump_json()
