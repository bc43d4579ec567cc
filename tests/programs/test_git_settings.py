"""Git answers the same, whatever a hook left in the environment, whoever asks, and however a commit is written."""

import os
import subprocess

import pytest

from delivery.programs import git, git_command
from tests.programs.conftest import exported
from tests.support.repositories import commit, write
from tests.support.repositories import git as ask


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
