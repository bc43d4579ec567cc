"""What is delivered is what `git checkout` gives: whoever checks out, from wherever, with whatever settings."""

import os
import stat
from pathlib import Path

import pytest

from delivery.errors import CommandFailed, Misconfigured
from delivery.programs import git, git_command
from tests.programs.conftest import SHOP, exported
from tests.support.repositories import commit, new_repository, write
from tests.support.repositories import git as ask


def test_attributes_of_the_repository_s_root_count_for_an_application_in_a_subfolder(repository, tmp_path):
    (repository / "shop" / "text.utf16").write_bytes("größer\n".encode("utf-16-le"))
    commit(repository, "Say it in another encoding")

    files = exported(repository, tmp_path)

    assert files[b"start.bat"] == b"echo one\r\necho two\r\n"
    assert files[b"version.id"].startswith(b"$Id: ")
    assert files[b"text.utf16"] == "größer\n".encode("utf-16-le")
    assert b"tests/test_it.py" in files  # export-ignore is for archives


def test_attributes_of_this_clone_count_as_well(repository, tmp_path):
    (repository / ".git" / "info" / "attributes").write_text("*.py text eol=crlf\n")

    assert exported(repository, tmp_path)[b"tests/test_it.py"] == b"assert True\r\n"


def test_only_the_application_s_files_are_laid_out(repository, tmp_path):
    assert set(exported(repository, tmp_path)) == {b"headway.yaml", b"start.bat", b"version.id", b"tests/test_it.py"}


def test_attributes_above_the_folder_are_part_of_what_is_compared_with_the_live_release(repository):
    before = git.resolve(repository, "HEAD", "shop")
    write(repository, {".gitattributes": "*.bat text eol=lf\n"})
    commit(repository, "Other line ends")
    after = git.resolve(repository, "HEAD", "shop")
    write(repository, {"other/large.txt": "changed\n"})
    commit(repository, "Elsewhere")

    assert after.tree == before.tree
    assert not after.has_files_of(before)
    assert git.resolve(repository, "HEAD", "shop").has_files_of(after)


def test_a_filter_that_is_set_up_is_used_and_one_that_fails_is_told(repository, tmp_path, as_ada):
    write(repository, {"shop/.gitattributes": "*.secret filter=lock\n", "shop/a.secret": "locked\n"})
    commit(repository, "Lock it")

    assert exported(repository, tmp_path)[b"a.secret"] == b"locked\n"  # nothing is set up: as it was committed

    ask(repository, "config", "filter.lock.smudge", "tr a-z A-Z")
    assert exported(repository, tmp_path)[b"a.secret"] == b"LOCKED\n"

    ask(repository, "config", "filter.lock.smudge", "false")
    ask(repository, "config", "filter.lock.required", "true")
    with pytest.raises(CommandFailed, match="smudge filter lock failed"):
        exported(repository, tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".export")] == []


def test_names_with_line_ends_and_bytes_that_are_no_text_come_out(repository, tmp_path):
    odd = [
        b"two\nlines",
        b'tab\tand "quotes"',
        b"latin-\xe9",
        "größer".encode(),
        b" spaces ",
        b"back\\slash",
        b":(top)x",
    ]
    for name in odd:
        Path(os.fsdecode(os.fsencode(repository / "shop") + b"/" + name)).write_bytes(name)
    commit(repository, "Name it as you like")

    files = exported(repository, tmp_path)

    assert {name: files[name] for name in odd} == {name: name for name in odd}


@pytest.mark.parametrize("folder", ["sh*p", ":shop", "größe", "-shop", "a b/[c]", "!shop", "#shop"])
def test_a_folder_is_what_it_is_called_and_no_pattern(tmp_path, as_ada, folder):
    files = {f"{folder}/headway.yaml": "app: shop\n", "shop/headway.yaml": "app: other\n", f"{folder}x/y": "z"}
    repository = new_repository(tmp_path / "repository", files)
    sha = ask(repository, "rev-parse", "HEAD")

    assert exported(repository, tmp_path, folder) == {b"headway.yaml": b"app: shop\n"}
    assert [commit.sha for commit in git.log_between(repository, "1" * 40, sha, folder)] == [sha]
    assert git.changed_files(repository, folder) == ()


def test_paths_that_differ_only_in_case_both_come_out(repository, tmp_path):
    write(repository, {"shop/readme": "small\n", "shop/README": "large\n"})
    commit(repository, "Shout")

    files = exported(repository, tmp_path)

    assert (files[b"readme"], files[b"README"]) == (b"small\n", b"large\n")


def test_a_link_out_of_the_folder_stays_a_link(repository, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("of this machine")
    secret.chmod(0o600)
    before = secret.stat()
    (repository / "shop" / "shared").symlink_to("../other")
    (repository / "shop" / "secret").symlink_to(secret)
    commit(repository, "Share")

    exported(repository, tmp_path)

    assert os.readlink(tmp_path / "out" / "shared") == "../other"
    assert os.readlink(tmp_path / "out" / "secret") == str(secret)
    assert (secret.stat().st_mode, secret.stat().st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


def test_the_umask_of_whoever_delivers_is_not_in_the_files(repository, tmp_path):
    (repository / "shop" / "run.sh").write_text("#!/bin/sh\n")
    (repository / "shop" / "run.sh").chmod(0o700)
    commit(repository, "Run")
    before = os.umask(0o077)
    try:
        exported(repository, tmp_path)
    finally:
        os.umask(before)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").rglob("*")}
    assert modes["run.sh"] == modes["tests"] == 0o755
    assert modes["start.bat"] == 0o644
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o755


def test_a_shallow_clone_is_delivered(repository, tmp_path):
    write(repository, {"shop/more": "more\n"})
    new = commit(repository, "More")
    ask(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", "shallow")

    assert b"more" in exported(tmp_path / "shallow", tmp_path)
    assert [found.sha for found in git.log_between(tmp_path / "shallow", f"{new}~1", new, "shop")] == [new]


def test_what_a_partial_clone_lacks_is_fetched_at_once(repository, tmp_path, monkeypatch):
    ask(repository, "config", "uploadpack.allowFilter", "true")
    ask(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repository}", "partial")
    fetches = tmp_path / "fetches"
    ask(repository, "config", "--global", "uploadpack.packObjectsHook", f"echo fetch >>{fetches}; exec")
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file")

    assert exported(tmp_path / "partial", tmp_path)[b"headway.yaml"] == b"app: shop\n"
    assert fetches.read_text().count("fetch") == 2  # all of the folder, and the attributes above it


def test_a_partial_clone_that_cannot_fetch_says_so(repository, tmp_path):
    ask(repository, "config", "uploadpack.allowFilter", "true")
    ask(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repository}", "partial")
    repository.rename(tmp_path / "gone")

    with pytest.raises(CommandFailed, match="promisor"):
        exported(tmp_path / "partial", tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_commit_that_was_replaced_is_delivered_as_its_hash_says(repository, tmp_path):
    old = ask(repository, "rev-parse", "HEAD")
    write(repository, {"shop/headway.yaml": "app: replaced\n"})
    new = commit(repository, "Other")
    ask(repository, "replace", old, new)

    assert exported(repository, tmp_path, revision=old)[b"headway.yaml"] == b"app: shop\n"


def test_a_linked_work_tree_is_delivered(repository, tmp_path):
    ask(repository, "worktree", "add", "-q", "-b", "feature", str(tmp_path / "linked"))
    write(tmp_path / "linked", {"shop/feature": "new\n"})
    commit(tmp_path / "linked", "Feature")

    assert git.top_level(tmp_path / "linked" / "shop") == tmp_path / "linked"
    assert exported(tmp_path / "linked", tmp_path)[b"feature"] == b"new\n"


def test_a_sparse_work_tree_does_not_make_the_delivery_sparse(repository, tmp_path):
    ask(repository, "sparse-checkout", "set", "--cone", "--sparse-index", "other")

    assert b"tests/test_it.py" in exported(repository, tmp_path)
    assert git.changed_files(repository, "shop") == ()


def test_a_repository_with_sha256_is_delivered(tmp_path, as_ada):
    repository = new_repository(tmp_path / "repository", SHOP, "--object-format=sha256")

    found = git.resolve(repository, "HEAD", "shop")

    assert len(found.sha) == len(found.tree) == 64
    assert b"headway.yaml" in exported(repository, tmp_path)


def test_a_bare_repository_is_refused_with_the_next_step(repository, tmp_path):
    ask(tmp_path, "clone", "-q", "--bare", str(repository), "bare.git")

    with pytest.raises(Misconfigured, match="not in a work tree") as caught:
        git.top_level(tmp_path / "bare.git")
    assert "git clone" in caught.value.next_step


def test_a_repository_of_another_user_is_refused_with_the_next_step(repository, as_ada):
    for path in [repository, *repository.rglob("*")]:
        os.chown(path, 12345, 12345)

    with pytest.raises(Misconfigured, match="belongs to another user") as caught:
        git.top_level(repository / "shop")
    assert caught.value.next_step.startswith(f"git config --global --add safe.directory '{repository}'")

    ask(repository.parent, "config", "--file", str(as_ada), "safe.directory", str(repository))
    assert git.top_level(repository / "shop") == repository


def test_a_git_that_is_too_old_is_refused_with_the_next_step(repository, tmp_path, monkeypatch):
    old = tmp_path / "bin" / "git"
    write(old.parent, {"git": "#!/bin/sh\necho git version 2.20.1\n"})
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")
    git_command.check_version.cache_clear()

    with pytest.raises(Misconfigured, match=r"is version 2\.20\.1; allowed: 2\.31 or newer"):
        git.resolve(repository, "HEAD", "shop")
