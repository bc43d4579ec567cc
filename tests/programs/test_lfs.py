"""A file that Git LFS keeps is delivered with its content, or the delivery is refused; git-lfs itself runs here."""

import os
import shutil

import pytest

from delivery.errors import Misconfigured
from delivery.programs import git, lfs
from delivery.programs.checkout import export
from tests.support.repositories import commit, new_repository, write
from tests.support.repositories import git as ask

CONTENT = bytes(range(256)) * 20
POINTER = b"version https://git-lfs.github.com/spec/v1"
INSTALLED = [part for key, value in lfs.SETTINGS.items() for part in ("-c", f"{key}={value}")]


@pytest.fixture
def with_lfs(git_lfs, monkeypatch):
    """git-lfs is on PATH; `git lfs install` was never run."""
    monkeypatch.setenv("PATH", f"{git_lfs}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def origin(tmp_path, as_ada, with_lfs):
    """Where an application in shop/ comes from, with a file in Git LFS by attributes of the root."""
    root = new_repository(tmp_path / "origin", {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"})
    write(root, {"shop/headway.yaml": "app: shop\n", "shop/model.bin": CONTENT, "shop/größe x.bin": CONTENT * 2})
    (root / "shop" / "link.bin").symlink_to("model.bin")
    ask(root, *INSTALLED, "add", "-A")
    ask(root, *INSTALLED, "commit", "-q", "-m", "Add a model")
    assert ask(root, "show", "HEAD:shop/model.bin").encode().startswith(POINTER)
    return root


@pytest.fixture
def clone(origin, tmp_path):
    """A clone as somebody without git-lfs has it: pointers, and no content."""
    ask(tmp_path, "clone", "-q", str(origin), "clone")
    assert (tmp_path / "clone" / "shop" / "model.bin").read_bytes().startswith(POINTER)
    return tmp_path / "clone"


def laid_out(repository, tmp_path, folder="shop"):
    export(repository, git.resolve(repository, "HEAD", folder).sha, folder, tmp_path / "out")
    return tmp_path / "out"


def test_files_of_git_lfs_come_out_with_their_content_where_it_was_never_installed(clone, tmp_path):
    out = laid_out(clone, tmp_path)

    assert (out / "model.bin").read_bytes() == CONTENT
    assert (out / "größe x.bin").read_bytes() == CONTENT * 2
    assert (out / "link.bin").is_symlink()
    assert git.changed_files(clone, "shop") == ()


@pytest.mark.parametrize(
    "skipping",
    [
        {"GIT_LFS_SKIP_SMUDGE": "1"},
        {"GIT_LFS_SKIP_DOWNLOAD_ERRORS": "1"},
        {"lfs.fetchexclude": "*"},
        {"lfs.fetchinclude": "other"},
        {"lfs.skipdownloaderrors": "true"},
        {"filter.lfs.smudge": "git-lfs smudge --skip -- %f", "filter.lfs.process": "git-lfs filter-process --skip"},
        {"filter.lfs.required": "false", "filter.lfs.smudge": "cat", "filter.lfs.process": ""},
    ],
    ids=lambda settings: "+".join(settings),
)
def test_what_makes_git_lfs_skip_content_does_not_matter(clone, tmp_path, as_ada, monkeypatch, skipping):
    for key, value in skipping.items():
        if key.startswith("GIT_"):
            monkeypatch.setenv(key, value)
        else:
            ask(clone, "config", "--file", str(as_ada), key, value)

    assert (laid_out(clone, tmp_path) / "model.bin").read_bytes() == CONTENT


def test_an_lfsconfig_that_leaves_content_away_does_not_matter(origin, clone, tmp_path):
    write(clone, {".lfsconfig": "[lfs]\n\tfetchexclude = *\n"})
    ask(clone, "add", ".lfsconfig")
    ask(clone, "commit", "-q", "-m", "Keep clones small")

    assert (laid_out(clone, tmp_path) / "model.bin").read_bytes() == CONTENT


def test_without_git_lfs_the_delivery_is_refused_with_the_next_step(clone, tmp_path, git_lfs, monkeypatch):
    path = os.environ["PATH"].split(os.pathsep)
    monkeypatch.setenv("PATH", os.pathsep.join(folder for folder in path if not os.path.exists(f"{folder}/git-lfs")))

    with pytest.raises(Misconfigured, match="git-lfs is not installed") as caught:
        laid_out(clone, tmp_path)

    assert "shop/model.bin" in caught.value.where
    assert caught.value.next_step == "sudo apt-get install git-lfs"
    assert not (tmp_path / "out").exists()


def test_a_repository_without_such_files_needs_no_git_lfs(tmp_path, as_ada):
    files = {".gitattributes": "*.bin filter=lfs -text\n", "other/x.bin": "x", "shop/headway.yaml": "app: shop\n"}
    repository = new_repository(tmp_path / "repository", files)

    assert [path.name for path in laid_out(repository, tmp_path).iterdir()] == ["headway.yaml"]


def test_content_that_cannot_be_had_is_refused_and_named(origin, clone, tmp_path):
    shutil.rmtree(origin / ".git" / "lfs" / "objects")

    with pytest.raises(Misconfigured) as caught:
        laid_out(clone, tmp_path)

    assert "2 of them are kept by Git LFS" in caught.value.found
    assert "shop/" in caught.value.found
    assert "git lfs fetch origin" in caught.value.next_step
    assert not (tmp_path / "out").exists()


def test_a_pointer_is_never_delivered_whatever_git_lfs_says(clone, tmp_path, monkeypatch):
    liar = tmp_path / "bin" / "git-lfs"
    write(liar.parent, {"git-lfs": '#!/bin/sh\n[ "$1" = smudge ] && cat\nexit 0\n'})
    liar.chmod(0o755)
    monkeypatch.setenv("PATH", f"{liar.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delitem(lfs.SETTINGS, "filter.lfs.process")

    with pytest.raises(Misconfigured, match="is still a pointer"):
        laid_out(clone, tmp_path)


def test_a_file_that_was_committed_without_git_lfs_comes_out_as_it_is(clone, tmp_path):
    write(clone, {"shop/small.bin": b"never cleaned"})
    ask(clone, "-c", "filter.lfs.clean=cat", "-c", "filter.lfs.process=", "add", "shop/small.bin")
    ask(clone, "commit", "-q", "-m", "By hand")

    assert (laid_out(clone, tmp_path) / "small.bin").read_bytes() == b"never cleaned"


def test_a_submodule_s_files_of_git_lfs_come_out(origin, tmp_path):
    root = new_repository(tmp_path / "root", {"headway.yaml": "app: all\n"})
    ask(root, "submodule", "--quiet", "add", "../origin", "models")
    commit(root, "Use the models")

    assert (laid_out(root, tmp_path, ".") / "models" / "shop" / "model.bin").read_bytes() == CONTENT


def test_a_linked_work_tree_s_files_of_git_lfs_come_out(clone, tmp_path):
    ask(clone, "worktree", "add", "-q", "-b", "feature", str(tmp_path / "linked"))

    assert (laid_out(tmp_path / "linked", tmp_path) / "model.bin").read_bytes() == CONTENT
