"""Which of the files that a container wrote are data: by their paths alone, as the engine lists them."""

import pytest

from delivery.docker.target.written import places_written

CHANGED, ADDED, DELETED = 0, 1, 2
FILES = {
    "/app/uploads/a.png": "/app/uploads/",
    "/app/uploads/2030/01/a.png": "/app/uploads/",
    "/app/new/deep/a": "/app/new/",
    "/app/shop.db": "/app/shop.db",
    "/data/a": "/data/",
    "/var/lib/shop/a": "/var/lib/shop/",
    "/var/lib/grafana/grafana.db": "/var/lib/grafana/",
    "/a": "/a",
}
IN_THE_IMAGE = {"/", "/app", "/app/uploads", "/data", "/var", "/var/lib", "/var/lib/grafana"}
PASSING = [
    "/tmp/a",
    "/run/shop.sock",
    "/var/log/nginx/access.log",
    "/var/cache/apt/a",
    "/etc/hosts",
    "/app/__pycache__/a.pyc",
    "/app/a.pyc",
    "/app/shop.pid",
    "/app/.next/cache/a",
    "/home/node/.npm/a",
    "/app/tmp/cache/a",
    "/app/log/production",
    "/var/lib/nginx/proxy_temp/a",
    "/usr/sbin/docker-init",
]


def changes(*files: str) -> list[dict[str, object]]:
    """Return what the engine lists: each file, and each folder above it."""
    found: dict[str, int] = {}
    for file in files:
        parts = file.split("/")[1:]
        for end in range(1, len(parts)):
            folder = "/" + "/".join(parts[:end])
            found[folder] = CHANGED if folder in IN_THE_IMAGE else ADDED
        found[file] = ADDED
    return [{"Path": path, "Kind": kind} for path, kind in found.items()]


@pytest.mark.parametrize(("file", "place"), FILES.items())
def test_the_folder_to_keep_is_named(file: str, place: str) -> None:
    assert places_written(changes(file), "/app", lambda _: True) == {place: 1}


@pytest.mark.parametrize("file", PASSING)
def test_what_passes_with_its_container_is_no_data(file: str) -> None:
    assert places_written(changes(file), "/app", lambda _: True) == {}


def test_the_files_of_a_folder_are_told_together() -> None:
    listed = changes("/app/uploads/a", "/app/uploads/b", "/app/uploads/2030/c", "/app/tmp/d")
    assert places_written(listed, "/app", lambda _: True) == {"/app/uploads/": 3}


def test_a_folder_without_any_file_that_counts_is_left_out() -> None:
    listed = changes("/app/uploads/a", "/data/b")
    assert places_written(listed, "/app", lambda path: path == "/data/b") == {"/data/": 1}


def test_a_file_of_the_image_that_is_gone_was_not_written() -> None:
    assert places_written([{"Path": "/app/uploads/a", "Kind": DELETED}], "/app", lambda _: True) == {}
