import os
import subprocess
from datetime import UTC, datetime

import pytest

from delivery.errors import Misconfigured
from delivery.programs import git
from delivery.programs.checkout import export

WHEN = "2026-03-04T05:06:07+00:00"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with an application in shop/ and one commit."""
    root = tmp_path / "repository"
    (root / "shop" / "tests").mkdir(parents=True)
    (root / "shop" / "headway.yaml").write_text("app: shop\n")
    (root / "shop" / "tests" / "test_it.py").write_text("assert True\n")
    (root / "shop" / "run.sh").write_text("#!/bin/sh\n")
    (root / "shop" / "run.sh").chmod(0o755)
    (root / "shop" / "link").symlink_to("/etc/hostname")
    (root / ".gitattributes").write_text("tests export-ignore\n")
    (root / "shop" / ".gitattributes").write_text("tests export-ignore\n")
    (root / "other.txt").write_text("not the application\n")
    for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"):
        monkeypatch.setenv(name, "Ada")
    for name in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "ada@example.org")
    for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):
        monkeypatch.setenv(name, WHEN)
    _git(root, "init", "-q", "-b", "main")
    _commit(root, "Open the shop")
    return root


def _git(root, *arguments):
    done = subprocess.run(["git", "-C", root, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _commit(root, subject):
    _git(root, "add", "-A")
    _git(root, "commit", "-q", "-m", subject)
    return _git(root, "rev-parse", "HEAD")


def test_a_branch_is_resolved_to_its_commit(repository):
    found = git.resolve(repository, "main", "shop")

    assert found.sha == _git(repository, "rev-parse", "HEAD")
    assert found.tree == _git(repository, "rev-parse", "HEAD:shop")
    assert (found.subject, found.author) == ("Open the shop", "Ada")
    assert found.committed == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_a_commit_outside_the_folder_leaves_the_tree_hash_alone(repository):
    before = git.resolve(repository, "HEAD", "shop")
    (repository / "other.txt").write_text("changed\n")
    _commit(repository, "Elsewhere")

    after = git.resolve(repository, "HEAD", "shop")

    assert after.tree == before.tree
    assert after.sha != before.sha


def test_an_application_may_be_the_whole_repository(repository, tmp_path):
    (repository / "headway.yaml").write_text("app: all\n")
    sha = _commit(repository, "Move up")

    found = git.resolve(repository, sha[:8], ".")
    export(repository, found.sha, ".", tmp_path / "out")

    assert found.tree == _git(repository, "rev-parse", "HEAD^{tree}")
    assert (tmp_path / "out" / "other.txt").exists()


@pytest.mark.parametrize("revision", ["nowhere", "--help", "HEAD:shop", "0" * 40, "HEAD~7"])
def test_an_unknown_revision_is_misconfigured_and_names_the_known_ones(repository, revision):
    with pytest.raises(Misconfigured) as caught:
        git.resolve(repository, revision, "shop")

    assert caught.value.where == f"revision {revision}"
    assert "branches main; last commits" in caught.value.allowed
    assert "Open the shop" in caught.value.allowed


def test_a_repository_without_a_commit_says_so(tmp_path):
    _git(tmp_path, "init", "-q")

    with pytest.raises(Misconfigured, match="there is no commit yet"):
        git.resolve(tmp_path, "HEAD", ".")


def test_a_revision_without_the_file_is_misconfigured(repository):
    with pytest.raises(Misconfigured, match=r"has no other/headway\.yaml"):
        git.resolve(repository, "HEAD", "other")


def test_a_folder_outside_any_repository_is_misconfigured(tmp_path):
    with pytest.raises(Misconfigured, match="is not in a git repository"):
        git.top_level(tmp_path)
    with pytest.raises(Misconfigured, match="is not in a git repository"):
        git.resolve(tmp_path, "HEAD", ".")
    with pytest.raises(Misconfigured, match="there is no such folder"):
        git.top_level(tmp_path / "nowhere")


def test_the_top_level_is_found_from_below(repository):
    assert git.top_level(repository / "shop" / "tests") == repository


def test_a_clean_work_tree_has_no_changed_files(repository):
    (repository / "other.txt").write_text("not below the folder\n")

    assert git.changed_files(repository, "shop") == ()


def test_every_kind_of_change_below_the_folder_is_named(repository):
    (repository / "shop" / "headway.yaml").write_text("app: changed\n")
    (repository / "shop" / "new file.txt").write_text("new\n")
    _git(repository, "mv", "shop/run.sh", "shop/start.sh")

    changed = git.changed_files(repository, "shop")

    assert sorted(changed) == ["shop/headway.yaml", "shop/new file.txt", "shop/start.sh"]


def test_an_export_is_the_commit_and_not_the_work_tree(repository, tmp_path):
    (repository / "shop" / "headway.yaml").write_text("app: not committed\n")
    (repository / "shop" / "run.sh").unlink()

    export(repository, "HEAD", "shop", tmp_path / "out")

    out = tmp_path / "out"
    names = {path.relative_to(out).as_posix() for path in out.rglob("*")}
    assert names == {".gitattributes", "headway.yaml", "run.sh", "link", "tests", "tests/test_it.py"}
    assert (out / "headway.yaml").read_text() == "app: shop\n"
    assert os.access(out / "run.sh", os.X_OK)
    assert os.readlink(out / "link") == "/etc/hostname"
    assert sorted(git.changed_files(repository, "shop")) == ["shop/headway.yaml", "shop/run.sh"]


def test_exported_files_carry_the_time_of_the_commit(repository, tmp_path):
    export(repository, "HEAD", "shop", tmp_path / "out")

    times = {path.lstat().st_mtime for path in [tmp_path / "out", *(tmp_path / "out").rglob("*")]}
    assert times == {datetime.fromisoformat(WHEN).timestamp()}


def test_an_export_replaces_what_an_interrupted_one_left(repository, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "half.txt").write_text("left behind")

    export(repository, "HEAD", "shop", tmp_path / "out")

    assert not (tmp_path / "out" / "half.txt").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_commits_between_two_revisions_touch_the_folder(repository):
    old = _git(repository, "rev-parse", "HEAD")
    (repository / "other.txt").write_text("elsewhere\n")
    _commit(repository, "Elsewhere")
    (repository / "shop" / "run.sh").write_text("#!/bin/sh\ntrue\n")
    new = _commit(repository, "Run faster")

    commits = git.log_between(repository, old, new, "shop")

    assert [(commit.sha, commit.subject, commit.author) for commit in commits] == [(new, "Run faster", "Ada")]
    assert git.log_between(repository, new, old, "shop") == ()


def test_after_a_rewritten_history_the_new_commit_stands_alone(repository):
    new = _git(repository, "rev-parse", "HEAD")

    commits = git.log_between(repository, "1" * 40, new, "shop")

    assert [commit.sha for commit in commits] == [new]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://ada:s3cret@example.org/shop.git", "https://example.org/shop.git"),
        ("https://example.org/shop.git", "https://example.org/shop.git"),
        ("git@example.org:shop.git", "git@example.org:shop.git"),
    ],
)
def test_the_origin_is_told_without_credentials(repository, address, shown):
    _git(repository, "remote", "add", "origin", address)

    assert git.origin(repository) == shown


def test_a_repository_without_origin_has_none(repository):
    assert git.origin(repository) == ""
