"""What is delivered is what `git checkout` gives: whoever checks out, from wherever, with whatever settings."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from delivery.errors import CommandFailed, Misconfigured
from delivery.programs import git, git_command
from delivery.programs.checkout import export
from tests.support.repositories import commit, new_repository, write
from tests.support.repositories import git as ask

SHOP = {
    ".gitattributes": "*.bat text eol=crlf\n*.id ident\n*.utf16 working-tree-encoding=UTF-16LE\ntests export-ignore\n",
    "shop/headway.yaml": "app: shop\n",
    "shop/start.bat": "echo one\necho two\n",
    "shop/version.id": "$Id$\n",
    "shop/tests/test_it.py": "assert True\n",
    "other/large.txt": "not the application's\n",
}


@pytest.fixture
def repository(tmp_path, as_ada):
    """A repository whose attributes stand in its root and whose application is a folder."""
    return new_repository(tmp_path / "repository", SHOP)


def exported(repository, tmp_path, folder="shop", revision="HEAD"):
    sha = git.resolve(repository, revision, folder).sha
    export(repository, sha, folder, tmp_path / "out")
    out = os.fsencode(tmp_path / "out")
    return {
        os.path.relpath(os.path.join(where, name), out): Path(os.fsdecode(os.path.join(where, name))).read_bytes()
        for where, _, names in os.walk(out)
        for name in names
        if not os.path.islink(os.path.join(where, name))
    }


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


@pytest.mark.parametrize(
    "left_by_a_hook",
    [
        {"GIT_DIR": "nowhere"},
        {"GIT_INDEX_FILE": "index.lock"},
        {"GIT_WORK_TREE": "nowhere"},
        {"GIT_OBJECT_DIRECTORY": "nowhere"},
        {"GIT_COMMON_DIR": "nowhere"},
        {"GIT_NAMESPACE": "other"},
        {"GIT_PREFIX": "other/"},
        {"GIT_QUARANTINE_PATH": "nowhere"},
        {"GIT_EXTERNAL_DIFF": "false"},
        {"GIT_GLOB_PATHSPECS": "1"},
        {"GIT_ICASE_PATHSPECS": "1"},
        {"GIT_NOGLOB_PATHSPECS": "1"},
        {"GIT_CEILING_DIRECTORIES": "/"},
        {"GIT_ATTR_SOURCE": "nowhere"},
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.bare", "GIT_CONFIG_VALUE_0": "true"},
        {"GIT_CONFIG_PARAMETERS": "'core.bare'='true'"},
        {"GIT_DEFAULT_HASH": "sha256"},
    ],
    ids=lambda variables: "+".join(variables),
)
def test_variables_that_a_hook_leaves_change_nothing(repository, tmp_path, monkeypatch, left_by_a_hook):
    before = git.resolve(repository, "HEAD", "shop"), exported(repository, tmp_path)
    for name, value in left_by_a_hook.items():
        monkeypatch.setenv(name, value)

    assert git.top_level(repository / "shop") == repository
    assert (git.resolve(repository, "HEAD", "shop"), exported(repository, tmp_path)) == before
    assert git.changed_files(repository, "shop") == ()


def test_variables_that_say_how_to_reach_other_machines_stay(monkeypatch):
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -i deploy-key")
    monkeypatch.setenv("GIT_SSL_CAINFO", "ca.pem")
    monkeypatch.setenv("GIT_DIR", "nowhere")

    changes = git_command.environment({})

    assert changes["GIT_DIR"] is None
    assert changes.keys().isdisjoint({"GIT_SSH_COMMAND", "GIT_SSL_CAINFO"})


SETTINGS = [
    "log.showSignature=true",
    "log.follow=true",
    "log.mailmap=true",
    "log.showRoot=false",
    "color.ui=always",
    "column.ui=always",
    "core.abbrev=40",
    "core.attributesFile=attributes",
    "core.autocrlf=true",
    "core.autocrlf=input",
    "core.eol=crlf",
    "core.fsmonitor=true",
    "core.ignoreCase=true",
    "core.pager=false",
    "core.quotePath=false",
    "core.sparseCheckout=true",
    "core.splitIndex=true",
    "core.symlinks=false",
    "core.untrackedCache=true",
    "diff.external=false",
    "diff.ignoreSubmodules=all",
    "diff.noprefix=true",
    "format.pretty=oneline",
    "i18n.logOutputEncoding=UTF-16",
    "index.sparse=true",
    "status.branch=true",
    "status.relativePaths=true",
    "status.renames=false",
    "status.short=true",
    "status.showStash=true",
    "status.showUntrackedFiles=no",
    "submodule.recurse=true",
    "advice.detachedHead=true",
    "checkout.workers=4",
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_what_a_user_has_set_changes_nothing(repository, tmp_path, as_ada, setting):
    write(repository, {".mailmap": "Somebody Else <else@example.org> <ada@example.org>\n", "shop/ä b": "ü\n"})
    (repository / "shop" / "link").symlink_to("start.bat")
    old, new = ask(repository, "rev-parse", "HEAD"), commit(repository, "Grüße")
    write(repository, {"shop/new.txt": "not committed\n"})

    def answers():
        return (
            git.resolve(repository, "HEAD", "shop"),
            git.log_between(repository, old, new, "shop"),
            git.changed_files(repository, "shop"),
            git.origin(repository),
            git._known(repository),
            exported(repository, tmp_path),
            os.path.islink(tmp_path / "out" / "link"),
        )

    before = answers()
    assert before[2] == ("shop/new.txt",)
    assert before[1][0].subject == "Grüße"
    (tmp_path / "attributes").write_text("*.py text eol=crlf\n")
    key, _, value = setting.partition("=")
    value = str(tmp_path / value) if value == "attributes" else value
    ask(repository, "config", "--file", str(as_ada), key, value)

    assert answers() == before


def test_no_hook_of_the_repository_runs(repository, tmp_path):
    witness = tmp_path / "ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc", "fsmonitor-watchman"):
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >>{witness}\n")
        (hooks / name).chmod(0o755)
    ask(repository, "config", "core.hooksPath", str(hooks))
    ask(repository, "config", "core.fsmonitor", str(hooks / "fsmonitor-watchman"))
    os.utime(repository / "shop" / "start.bat")

    git.changed_files(repository, "shop")
    exported(repository, tmp_path)

    assert not witness.exists()


def test_nothing_is_left_in_the_repository(repository, tmp_path):
    def listing():
        return {str(path): path.stat().st_mtime_ns for path in repository.rglob("*") if path.is_file()}

    before = listing()
    exported(repository, tmp_path)
    git.changed_files(repository, "shop")

    assert listing() == before


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


def test_a_subject_with_odd_line_ends_is_one_line(repository):
    old = ask(repository, "rev-parse", "HEAD")
    tree = ask(repository, "rev-parse", "HEAD^{tree}")
    for subject in ("carriage\rreturn", "form\x0cfeed", "line\u2028separator", "commit " + "1" * 40):
        new = ask(repository, "commit-tree", tree, "-p", old, "-m", subject)
        found = git.resolve(repository, new, "shop")
        assert (found.sha, found.subject) == (new, " ".join(subject.split()))


def test_a_commit_from_beyond_the_calendar_is_delivered(repository, tmp_path):
    tree = ask(repository, "rev-parse", "HEAD^{tree}")
    late = "@99999999999999 +0000"
    sha = ask(repository, "commit-tree", tree, "-m", "Later", GIT_AUTHOR_DATE=late, GIT_COMMITTER_DATE=late)

    assert b"headway.yaml" in exported(repository, tmp_path, revision=sha)


def test_a_commit_in_another_encoding_is_read(repository):
    message = repository.parent / "message"
    message.write_bytes("Größer".encode("latin-1"))
    argv = [
        "git",
        "-C",
        str(repository),
        "-c",
        "i18n.commitEncoding=latin1",
        "commit",
        "-q",
        "--allow-empty",
        "-F",
        message,
    ]
    subprocess.run(argv, check=True)

    assert git.resolve(repository, "HEAD", "shop").subject == "Größer"


def test_a_signed_commit_is_read_though_its_signature_shall_be_shown(repository, tmp_path, as_ada):
    write(tmp_path / "bin", {"gpg": "#!/bin/sh\ncat >/dev/null\necho 'gpg: Good signature from Ada' >&2\n"})
    (tmp_path / "bin" / "gpg").chmod(0o755)
    unsigned = subprocess.run(["git", "-C", repository, "cat-file", "commit", "HEAD"], check=True, capture_output=True)
    head, body = unsigned.stdout.split(b"\n\n", 1)
    signature = b"\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n -----END PGP SIGNATURE-----\n\n"
    argv = ["git", "-C", repository, "hash-object", "-t", "commit", "-w", "--stdin"]
    made = subprocess.run(argv, check=True, capture_output=True, input=head + signature + body)
    sha = made.stdout.decode().strip()
    ask(repository, "config", "--file", str(as_ada), "gpg.program", str(tmp_path / "bin" / "gpg"))
    ask(repository, "config", "--file", str(as_ada), "log.showSignature", "true")
    assert "Good signature" in ask(repository, "show", "-s", "--format=%H", sha)

    assert git.resolve(repository, sha, "shop").subject == "Begin"
    assert [found.sha for found in git.log_between(repository, "1" * 40, sha, "shop")] == [sha]
    assert b"headway.yaml" in exported(repository, tmp_path, revision=sha)
