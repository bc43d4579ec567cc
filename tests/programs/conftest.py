"""What the tests of git share."""

import os

import pytest
from filelock import FileLock

from tests.support.git_lfs import unpack_git_lfs
from tests.support.repositories import WHEN


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
    folder = tmp_path_factory.getbasetemp().parent / "git-lfs"
    with FileLock(f"{folder}.lock"):
        return unpack_git_lfs(folder)
