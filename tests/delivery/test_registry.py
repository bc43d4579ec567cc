"""What a registry finds is waited for, and no longer than that."""

from functools import partial

import pytest

from delivery.errors import Misconfigured
from delivery.ports import registry as waiting
from delivery.ports.registry import Registry, check_registry, registry_scan
from delivery.releases.release import ImageRef
from delivery.scanning.findings import RegistryScan
from delivery.spec.scan import ScanPolicy

IMAGE = ImageRef(repository="shop/web", digest="sha256:" + "9d0c" * 16)
SCANNED = RegistryScan(problem="says so")


def registry(*answers):
    left = iter(answers)
    return Registry(partial(str, "ecr"), findings=lambda _: next(left, None))


def test_a_scan_that_goes_on_is_waited_for(monkeypatch):
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0)

    assert registry_scan(registry(None, None, SCANNED), IMAGE) == SCANNED


def test_a_scan_that_never_ends_is_told(monkeypatch):
    monkeypatch.setattr(waiting, "LOOK_SECONDS", 0)

    said = registry_scan(registry(), IMAGE, wait_seconds=0).problem

    assert said == f"the registry's own scan of {IMAGE} did not end within 0 s"


def test_a_registry_without_a_scan_is_refused_only_where_it_is_asked_for_one():
    check_registry(ScanPolicy(registry="add"), registry())
    check_registry(ScanPolicy(), Registry.at("127.0.0.1:5000"))

    with pytest.raises(
        Misconfigured, match=r"scan\.registry: add, but the registry 127\.0\.0\.1:5000 has no scan of its"
    ):
        check_registry(ScanPolicy(registry="add"), Registry.at("127.0.0.1:5000"))
