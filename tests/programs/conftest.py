"""What the tests of git share."""

import os
from pathlib import Path

import pytest
from filelock import FileLock

from delivery.programs import git
from delivery.programs.checkout import export
from tests.support.git_lfs import unpack_git_lfs
from tests.support.repositories import WHEN, new_repository

SHOP = {
    ".gitattributes": "*.bat text eol=crlf\n*.id ident\n*.utf16 working-tree-encoding=UTF-16LE\ntests export-ignore\n",
    "shop/headway.yaml": "app: shop\n",
    "shop/start.bat": "echo one\necho two\n",
    "shop/version.id": "$Id$\n",
    "shop/tests/test_it.py": "assert True\n",
    "other/large.txt": "not the application's\n",
}


@pytest.fixture
def as_ada(tmp_path, monkeypatch):
    """Git as Ada uses it, whatever this machine's user has set; returns the file of her settings."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    settings = tmp_path / "gitconfig"
    settings.write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):
        monkeypatch.setenv(name, WHEN)
    return settings


@pytest.fixture(scope="session")
def git_lfs(tmp_path_factory):
    """The folder with the program git-lfs, which is not on PATH."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "git-lfs"
    with FileLock(f"{folder}.lock"):
        return unpack_git_lfs(folder)


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
