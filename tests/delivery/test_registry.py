"""What a registry finds is waited for, and no longer than that."""

from functools import partial

import pytest

from delivery.errors import Misconfigured
from delivery.ports import registry as waiting
from delivery.ports.registry import Registry, check_reached, check_registry, registry_scan
from delivery.releases.release import ImageRef
from delivery.scanning.findings import RegistryScan
from delivery.spec.docker_target import DockerTarget
from delivery.spec.ecs_target import EcsTarget
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


@pytest.mark.parametrize("address", ["127.0.0.1:5000", "localhost:5000"])
def test_a_cluster_does_not_pull_from_this_machines_registry_and_is_told_so_before_anything_is_built(address):
    with pytest.raises(Misconfigured, match=rf"production.target: images are in {address}, .*\n  next: HEAD"):
        check_reached(EcsTarget(kind="ecs"), Registry.at(address), "production")

    check_reached(DockerTarget(), Registry.at(address), "production")


@pytest.mark.parametrize(
    "address", ["127.0.0.1:5566/123456789012/us-east-1", "registry.example.org:5000", "registry.example.org/shop"]
)
def test_a_cluster_pulls_from_any_other_registry(address):
    check_reached(EcsTarget(kind="ecs"), Registry.at(address), "production")
