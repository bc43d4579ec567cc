"""A repository is found by its address on every machine, and by its folder on those that have it."""

import shutil

import pytest

from delivery.errors import Misconfigured, Transient
from delivery.programs import git
from delivery.programs.checkout import export
from delivery.programs.repositories import default_commit, fetch, find_repository, is_address, likely_name, open_project
from tests.support.repositories import commit, write
from tests.support.repositories import git as ask


@pytest.fixture
def address(repository):
    return f"file://{repository}"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("https://example.org/shop.git", True),
        ("ssh://git@example.org:22/shop.git", True),
        ("git@example.org:team/shop.git", True),
        ("/srv/shop", False),
        ("../shop", False),
        ("shop", False),
        ("C:shop", False),
    ],
)
def test_an_address_is_told_from_a_folder(name, is_one):
    assert is_address(name) is is_one


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://example.org/team/shop.git", "shop"),
        ("git@example.org:shop.git", "shop"),
        ("ssh://git@example.org/shops.git#apps/shop", "shop"),
        ("https://example.org/shop/", "shop"),
    ],
)
def test_an_application_is_probably_called_as_the_last_part_of_its_address(address, name):
    assert likely_name(address) == name


def test_a_folder_of_an_application_is_its_repository_and_the_folder_in_it(repository, tmp_path):
    assert open_project(str(repository / "shop"), tmp_path / "cache") == (str(repository), "shop", repository)
    assert not (tmp_path / "cache").exists()


def test_an_address_is_fetched_and_gives_the_same_files(repository, address, tmp_path):
    name, folder, here = open_project(f"{address}#shop", tmp_path / "cache")
    found = git.resolve(here, "HEAD", folder)
    export(here, found.sha, folder, tmp_path / "out")
    export(repository, found.sha, folder, tmp_path / "same")

    assert (name, folder) == (address, "shop")
    assert found.sha == ask(repository, "rev-parse", "HEAD")
    files = {path.relative_to(tmp_path / "out"): path.read_bytes() for path in (tmp_path / "out").rglob("*.*")}
    assert files == {
        path.relative_to(tmp_path / "same"): path.read_bytes() for path in (tmp_path / "same").rglob("*.*")
    }
    assert len(files) == 4


def test_what_was_committed_since_is_fetched_as_soon_as_it_is_asked_for(repository, address, tmp_path):
    cache = tmp_path / "cache"
    before = find_repository(address, ask(repository, "rev-parse", "HEAD"), cache)
    write(repository, {"shop/start.bat": "echo three\n"})
    sha = commit(repository, "Count on")

    assert find_repository(address, sha, cache) == before
    assert git.resolve(before, "main", "shop").sha == sha


def test_a_commit_of_no_branch_any_more_is_fetched_by_its_name(repository, address, tmp_path):
    write(repository, {"shop/start.bat": "echo three\n"})
    sha = commit(repository, "Count on")
    ask(repository, "reset", "--hard", "-q", "HEAD~1")
    ask(repository, "config", "uploadpack.allowAnySHA1InWant", "true")

    there = find_repository(address, sha, tmp_path / "cache")

    assert git.resolve(there, sha, "shop").sha == sha


def test_a_copy_that_was_deleted_is_made_again(repository, address, tmp_path):
    sha = ask(repository, "rev-parse", "HEAD")
    shutil.rmtree(find_repository(address, sha, tmp_path / "cache"))

    assert git.resolve(find_repository(address, sha, tmp_path / "cache"), sha, "shop").sha == sha


def test_a_folder_of_another_machine_is_told_with_what_to_do(repository, tmp_path):
    sha = ask(repository, "rev-parse", "HEAD")
    gone = tmp_path / "elsewhere"

    with pytest.raises(Misconfigured, match=rf"repository {gone}: is not on .*, where the run goes on; .*\n  next"):
        find_repository(str(gone), sha, tmp_path / "cache")
    with pytest.raises(Misconfigured, match=r"has no commit 1111111 on .*\n  next: git -C .* fetch"):
        find_repository(str(repository), "1" * 40, tmp_path / "cache")


def test_a_revision_that_an_address_does_not_have_is_told_with_those_it_has(address, tmp_path):
    _, folder, here = open_project(f"{address}#shop", tmp_path / "cache")

    with pytest.raises(Misconfigured, match=r"revision next: there is none in .*branches main"):
        git.resolve(here, "next", folder)


def test_the_default_branch_is_the_one_that_its_address_names_now(repository, address, tmp_path):
    cache, old = tmp_path / "cache", ask(repository, "rev-parse", "HEAD")
    fetch(address, cache)
    before = default_commit(address, cache)
    ask(repository, "checkout", "-q", "-b", "trunk")
    write(repository, {"shop/start.bat": "echo three\n"})
    new = commit(repository, "Count on")

    assert (before, default_commit(address, cache)) == (old, new)
    assert find_repository(address, new, cache).exists()


def test_a_repository_without_a_default_branch_is_told_with_what_to_do(repository, address, tmp_path):
    fetch(address, tmp_path / "cache")
    ask(repository, "symbolic-ref", "HEAD", "refs/heads/gone")

    with pytest.raises(Misconfigured, match=r"its HEAD names no branch; allowed: .*\n  next: .*git symbolic-ref"):
        default_commit(address, tmp_path / "cache")


def test_an_address_that_does_not_answer_may_do_so_later(tmp_path):
    with pytest.raises(Transient, match="nothing was not fetched"):
        open_project(f"file://{tmp_path}/nothing", tmp_path / "cache")


@pytest.mark.parametrize("user", ["ada:hunter2-canary", "hunter2-canary"])
def test_a_password_in_an_address_is_refused_and_not_told(tmp_path, user):
    with pytest.raises(Misconfigured, match="holds a user or password") as told:
        open_project(f"https://{user}@example.org/shop.git", tmp_path / "cache")

    assert "hunter2-canary" not in str(told.value)
