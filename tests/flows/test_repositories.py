"""A repository elsewhere is delivered from by the deploy key that was named for it, wherever the run goes on."""

from uuid import uuid4

import pytest
from pydantic import SecretStr

from blocks.secret_block import remove_secret, save_secret
from delivery.spec.repository import Repository
from flows.repositories import give_access
from tests.support.git_hosts import ssh_host

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


@pytest.fixture
def host(platform, monkeypatch):
    """A host with the application's repository, whose key this user's ssh knows, and that only a key opens."""
    with ssh_host() as found:
        monkeypatch.setattr("tasks.repositories.known_hosts_of", lambda _: found.known_hosts)
        yield found


@pytest.fixture
def named(host, platform):
    """The name of a secret, which is said to open it."""
    name = f"key-{uuid4().hex[:8]}"
    address = host.address(platform.project)
    give_access(address, Repository(url=address, deploy_key=name))
    yield name
    remove_secret(name)


def test_what_only_a_deploy_key_opens_is_delivered_and_the_key_is_kept_nowhere(platform, host, named):
    save_secret(named, SecretStr(host.client_key))
    body = host.client_key.splitlines()[1]

    run = platform.deliver(project=host.address(platform.project))

    assert run.state.is_completed(), run.ended
    assert platform.live().revision.sha == platform.git("rev-parse", "HEAD")
    assert host.asked
    kept = [path for path in platform.root.rglob("*") if path.is_file() and body.encode() in path.read_bytes()]
    assert kept == []


def test_without_the_secret_nothing_is_fetched_and_what_to_do_is_said(platform, host, named):
    name, message = platform.deliver(project=host.address(platform.project)).ended

    assert name == "Misconfigured"
    assert (
        f"headway.yaml: repository.deploy_key: there is no secret {named}\n  next: headway secret set {named}"
        in message
    )
    assert host.asked == []
