"""Submodules hold the files of their recorded commit, or the delivery is refused before anything is built."""

import re
import shutil

import pytest

from delivery.errors import Misconfigured
from delivery.programs import git
from delivery.programs.checkout import check_sources, export
from tests.support.repositories import commit, new_repository, write
from tests.support.repositories import git as ask


@pytest.fixture
def project(tmp_path, as_ada):
    """An application in shop/ with a submodule that has one itself, and another submodule beside it."""
    new_repository(tmp_path / "inner", {"inner.txt": "inner\n", ".gitattributes": "*.txt text eol=crlf\n"})
    library = new_repository(tmp_path / "library", {"library.txt": "first\n"})
    ask(library, "submodule", "--quiet", "add", "../inner", "deep/inner")
    commit(library, "Use it")
    new_repository(tmp_path / "beside", {"beside.txt": "beside\n"})
    root = new_repository(tmp_path / "project", {"shop/headway.yaml": "app: shop\n"})
    ask(root, "submodule", "--quiet", "add", "--name", "lib.with.dots", "../library", "shop/lib")
    ask(root, "submodule", "--quiet", "add", "../beside", "beside")
    ask(root, "submodule", "--quiet", "update", "--init", "--recursive")
    commit(root, "Use libraries")
    return root


def laid_out(project, tmp_path, revision="HEAD"):
    sha = git.resolve(project, revision, "shop").sha
    check_sources(project, sha, "shop")
    export(project, sha, "shop", tmp_path / "out")
    out = tmp_path / "out"
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


FILES = {
    "headway.yaml",
    "lib/library.txt",
    "lib/.gitmodules",
    "lib/deep/inner/inner.txt",
    "lib/deep/inner/.gitattributes",
}


def refused(project, tmp_path, revision="HEAD"):
    """Return how check and export, which agree, refuse it."""
    sha = git.resolve(project, revision, "shop").sha
    with pytest.raises(Misconfigured) as first:
        check_sources(project, sha, "shop")
    with pytest.raises(Misconfigured, match=re.escape(str(first.value))):
        export(project, sha, "shop", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    return first.value


def test_a_submodule_and_the_one_in_it_come_out_as_they_are_recorded(project, tmp_path):
    write(project, {"shop/lib/library.txt": "not committed\n", "shop/lib/new.txt": "neither\n"})

    files = laid_out(project, tmp_path)

    assert set(files) == FILES
    assert files["lib/library.txt"] == b"first\n"
    assert files["lib/deep/inner/inner.txt"] == b"inner\r\n"  # by the submodule's own attributes


def test_the_commit_that_a_revision_records_comes_out_and_not_what_is_checked_out(project, tmp_path):
    old = ask(project, "rev-parse", "HEAD")
    write(project, {"shop/lib/library.txt": "second\n"})
    commit(project / "shop" / "lib", "Second")
    new = commit(project, "Take the second")

    assert laid_out(project, tmp_path, old)["lib/library.txt"] == b"first\n"
    assert laid_out(project, tmp_path, new)["lib/library.txt"] == b"second\n"


def test_another_commit_of_a_submodule_is_another_tree(project):
    before = git.resolve(project, "HEAD", "shop")
    write(project, {"shop/lib/library.txt": "second\n"})
    commit(project / "shop" / "lib", "Second")
    commit(project, "Take the second")
    after = git.resolve(project, "HEAD", "shop")
    write(project, {"beside/beside.txt": "second\n"})
    commit(project / "beside", "Second")
    commit(project, "Take the second of what the application does not have")

    assert not after.has_files_of(before)
    assert git.resolve(project, "HEAD", "shop").has_files_of(after)


@pytest.mark.parametrize("change", ["library.txt", "new.txt", "deep/inner/inner.txt"])
def test_what_is_changed_in_a_submodule_is_not_committed(project, as_ada, change):
    ask(project, "config", "--file", str(as_ada), "diff.ignoreSubmodules", "all")
    assert git.changed_files(project, "shop") == ()

    write(project / "shop" / "lib", {change: "changed\n"})

    assert git.changed_files(project, "shop") == ("shop/lib",)


def test_a_submodule_that_was_not_checked_out_is_refused_with_the_next_step(project, tmp_path):
    ask(tmp_path, "clone", "-q", str(project), "clone")
    recorded = ask(project / "shop" / "lib", "rev-parse", "HEAD")

    error = refused(tmp_path / "clone", tmp_path)

    assert error.where == "submodule shop/lib"
    assert error.found == f"commit {recorded[:12]} is not here: the submodule was not checked out"
    assert error.next_step == "git submodule update --init --recursive shop/lib"
    ask(tmp_path / "clone", *error.next_step.split()[1:])
    assert set(laid_out(tmp_path / "clone", tmp_path)) == FILES


def test_a_submodule_in_a_submodule_that_is_missing_is_refused_with_the_next_step(project, tmp_path):
    ask(tmp_path, "clone", "-q", str(project), "clone")
    ask(tmp_path / "clone", "submodule", "--quiet", "update", "--init")

    error = refused(tmp_path / "clone", tmp_path)

    assert error.where == "submodule deep/inner of shop/lib"
    assert error.next_step == "git submodule update --init --recursive shop/lib"


def test_a_commit_that_the_submodule_s_repository_lacks_is_refused_with_the_next_step(project, tmp_path):
    ask(tmp_path, "clone", "-q", "--recurse-submodules", str(project), "clone")
    write(tmp_path / "library", {"library.txt": "second\n"})
    new = commit(tmp_path / "library", "Second")
    ask(tmp_path / "clone", "update-index", "--cacheinfo", f"160000,{new},shop/lib")
    ask(tmp_path / "clone", "commit", "-q", "-m", "Take what was never fetched")

    error = refused(tmp_path / "clone", tmp_path)

    assert error.found == f"commit {new[:12]} is not in its repository"
    assert "git submodule update --init --recursive shop/lib" in error.next_step
    ask(tmp_path / "clone", "submodule", "--quiet", "update", "--init", "--recursive", "shop/lib")
    assert laid_out(tmp_path / "clone", tmp_path)["lib/library.txt"] == b"second\n"


def test_a_submodule_that_the_application_does_not_have_may_be_missing(project, tmp_path):
    ask(tmp_path, "clone", "-q", str(project), "clone")
    ask(tmp_path / "clone", "submodule", "--quiet", "update", "--init", "--recursive", "shop/lib")

    assert set(laid_out(tmp_path / "clone", tmp_path)) == FILES


def test_a_submodule_whose_files_were_removed_still_comes_out(project, tmp_path):
    ask(project, "submodule", "--quiet", "deinit", "--force", "--all")
    shutil.rmtree(project / "shop" / "lib")

    assert set(laid_out(project, tmp_path)) == FILES


def test_a_submodule_that_keeps_its_own_git_folder_comes_out(project, tmp_path):
    shutil.rmtree(project / "shop" / "lib")
    shutil.rmtree(project / ".git" / "modules")
    ask(project, "clone", "-q", "--recurse-submodules", "../library", "shop/lib")

    assert set(laid_out(project, tmp_path)) == FILES


@pytest.mark.parametrize("checked_out_in", ["project", "linked"])
def test_a_submodule_of_a_linked_work_tree_comes_out(project, tmp_path, checked_out_in):
    ask(tmp_path, "clone", "-q", str(project), "clone")
    ask(tmp_path / "clone", "worktree", "add", "-q", "-b", "feature", str(tmp_path / "linked"))
    here = tmp_path / "linked" if checked_out_in == "linked" else tmp_path / "clone"
    ask(here, "submodule", "--quiet", "update", "--init", "--recursive", "shop/lib")

    assert set(laid_out(tmp_path / "linked", tmp_path)) == FILES
    assert set(laid_out(tmp_path / "clone", tmp_path)) == FILES


def test_an_application_in_a_submodule_is_one_of_that_repository(project, tmp_path):
    write(project / "shop" / "lib", {"app/headway.yaml": "app: inner\n"})
    sha = commit(project / "shop" / "lib", "An application of its own")

    root = git.top_level(project / "shop" / "lib" / "app")
    found = git.resolve(root, "HEAD", "app")
    export(root, found.sha, "app", tmp_path / "out")

    assert (root, found.sha) == (project / "shop" / "lib", sha)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["headway.yaml"]


def test_a_submodule_that_is_never_to_be_checked_out_stays_an_empty_folder(project, tmp_path):
    ask(project, "config", "--file", ".gitmodules", "submodule.lib.with.dots.update", "none")
    commit(project, "Leave it out")
    ask(tmp_path, "clone", "-q", "--recurse-submodules", str(project), "clone")

    assert set(laid_out(tmp_path / "clone", tmp_path)) == {"headway.yaml"}
    assert (tmp_path / "out" / "lib").is_dir()


def test_a_repository_within_that_is_no_submodule_is_refused_where_it_is_not(project, tmp_path):
    new_repository(project / "shop" / "stray", {"stray.txt": "stray\n"})
    recorded = ask(project / "shop" / "stray", "rev-parse", "HEAD")
    commit(project, "Forget .gitmodules")

    assert laid_out(project, tmp_path)["stray/stray.txt"] == b"stray\n"  # it is here

    shutil.rmtree(tmp_path / "out")
    shutil.rmtree(project / "shop" / "stray")
    error = refused(project, tmp_path)
    assert error.where == "submodule shop/stray"
    assert error.found.startswith(f"commit {recorded[:12]} is recorded, but .gitmodules")
    assert error.next_step.startswith("git submodule add URL shop/stray; or git rm --cached shop/stray")


def test_a_gitmodules_that_cannot_be_read_is_told(project, tmp_path):
    write(project, {".gitmodules": "[submodule\n"})
    ask(project, "add", ".gitmodules")
    ask(project, "commit", "-q", "-m", "Break it")

    assert refused(project, tmp_path).where.startswith(".gitmodules of ")


def test_a_submodule_s_name_leads_to_no_other_repository(project, tmp_path):
    ask(
        project,
        "config",
        "--file",
        ".gitmodules",
        "--rename-section",
        "submodule.lib.with.dots",
        "submodule.../../outside",
    )
    sha = commit(project, "Lead outside")
    ask(tmp_path, "clone", "-q", "--recurse-submodules=beside", str(project), "clone")
    ask(tmp_path, "clone", "-q", "--bare", str(tmp_path / "library"), "clone/outside")

    with pytest.raises(Misconfigured, match="was not checked out"):
        check_sources(tmp_path / "clone", sha, "shop")


def test_a_submodule_with_odd_letters_in_its_path_comes_out(project, tmp_path):
    ask(project, "submodule", "--quiet", "add", "../beside", 'shop/größe "x"')
    commit(project, "Call it as you like")

    assert laid_out(project, tmp_path)['größe "x"/beside.txt'] == b"beside\n"
