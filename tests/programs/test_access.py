"""A repository elsewhere is reached with a key or a token, which stand nowhere else and are told to nobody else."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from delivery.errors import Misconfigured, Transient
from delivery.programs.access import Access, known_hosts_of, way_of
from delivery.programs.repositories import fetch, find_repository
from tests.support.git_hosts import http_host, ssh_host
from tests.support.repositories import commit
from tests.support.repositories import git as ask

TOKEN = "canary-token-41d7"


def key(host, **more):
    return Access(**({"deploy_key": SecretStr(host.client_key), "known_hosts": host.known_hosts} | more))


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_repository_is_fetched_by_ssh_with_its_deploy_key_alone(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_SSH_COMMAND", "false")  # what the user has set for others
    with ssh_host() as host:
        there = fetch(host.address(repository), tmp_path / "cache", key(host))
        later = commit(repository, "Later") if (repository / "new").write_text("x") else ""
        again = find_repository(host.address(repository), later, tmp_path / "cache", lambda _: key(host))

    assert ask(there, "rev-parse", "refs/heads/main") == later
    assert again == there
    assert host.client_key.encode() not in everything_in(tmp_path / "cache")
    assert all(command.startswith("git-upload-pack ") for command in host.asked)


def test_a_host_with_another_key_than_the_one_that_is_known_is_not_believed(repository, tmp_path):
    with ssh_host() as host:
        for known in (host.another_known_hosts, ""):
            with pytest.raises(Transient, match="Host key verification failed"):
                fetch(host.address(repository), tmp_path / "cache", key(host, known_hosts=known))

    assert host.asked == []


def test_another_key_is_let_in_nowhere(repository, tmp_path):
    with ssh_host() as host, ssh_host() as other:
        wrong = key(host, deploy_key=SecretStr(other.client_key))
        with pytest.raises(Transient, match="Permission denied"):
            fetch(host.address(repository), tmp_path / "cache", wrong)

    assert host.asked == []


def test_files_for_git_are_its_owners_alone_and_gone_afterwards(repository):
    access = Access(deploy_key=SecretStr("a key\r\n"), known_hosts="host key\n")
    with way_of(access) as way:
        words = way.env["GIT_SSH_COMMAND"].split()
        path = Path(words[words.index("-i") + 1])
        inside = (oct(path.stat().st_mode & 0o777), oct(path.parent.stat().st_mode & 0o777), path.read_text())

    assert inside == ("0o600", "0o700", "a key\n")
    assert not path.parent.exists()


def test_a_token_is_told_to_the_host_and_stands_nowhere_else(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_ASKPASS", "false")
    settings = tmp_path / "gitconfig"
    helper = f"!f() {{ cat >> {tmp_path}/helper; }}; f"
    settings.write_text(f'[credential]\n\thelper = "{helper}"\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    with http_host(repository, TOKEN) as host:
        there = fetch(host.address, tmp_path / "cache", Access(token=SecretStr(TOKEN)))

    assert ask(there, "rev-parse", "refs/heads/main") == ask(repository, "rev-parse", "main")
    assert TOKEN.encode() not in everything_in(tmp_path)
    assert not (tmp_path / "helper").exists()


def test_without_the_token_nothing_is_fetched_and_nobody_is_asked(repository, tmp_path):
    with http_host(repository, TOKEN) as host, pytest.raises(Transient, match="was not fetched"):
        fetch(host.address, tmp_path / "cache", Access(token=SecretStr("wrong")))


def test_a_host_that_sends_on_to_another_one_gets_no_token_there(repository, tmp_path):
    with http_host(repository, TOKEN) as elsewhere, http_host(repository, TOKEN) as host:
        host.redirects_to = elsewhere.address
        with pytest.raises(Transient):
            fetch(host.address, tmp_path / "cache", Access(token=SecretStr(TOKEN)))

    assert elsewhere.told == []


def test_the_token_is_in_no_argument_and_in_no_error(repository, tmp_path):
    with http_host(repository, "another") as host, pytest.raises(Transient) as failed:
        fetch(host.address, tmp_path / "cache", Access(token=SecretStr(TOKEN)))

    assert TOKEN not in str(failed.value)
    assert TOKEN not in repr(Access(token=SecretStr(TOKEN)))
    assert TOKEN not in str(dict(os.environ))


def test_hosts_are_those_that_this_user_knows(tmp_path):
    with ssh_host() as host:
        (tmp_path / "known_hosts").write_text(host.known_hosts)
        address = f"ssh://git@127.0.0.1:{host.port}/shop.git"

        assert known_hosts_of(address, tmp_path / "known_hosts").strip() == host.known_hosts.strip()
        with pytest.raises(Misconfigured, match="its key is not known here"):
            known_hosts_of("git@git.example:shop.git", tmp_path / "known_hosts")
        assert known_hosts_of("https://git.example/shop.git") == ""
