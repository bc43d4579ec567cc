"""Secrets reach the environment and nothing else: a canary is planted and everything is searched."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlparse
from uuid import UUID

import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL
from prefect_aws import AwsCredentials

from blocks.environment import DeliveryEnvironment, block_name
from delivery.errors import Misconfigured
from delivery.opening import open_environment
from tasks.certificates import certificate_problems
from tests.delivery.values import make_app
from tests.flows.platform import MEMORY, artifacts
from tests.support.authority import self_signed

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]

CANARY = "canary-7f3a9c-in-the-block"
NAMED = "canary-0b41de-in-a-secret"
OF_SUITE = "canary-92ce51-of-a-suite"
OF_BUILD = "canary-417bd0-of-a-build"
ON_AWS = "canary-5d20c8-on-aws"


@pytest.fixture
def seen(monkeypatch):
    """What targets are given of secrets: variable → value."""
    found: dict[str, str] = {}

    def open_and_look(app, environment, settings, *, sequence):
        found.update({name: value.get_secret_value() for name, value in settings.secrets.items()})
        return open_environment(app, environment, settings, sequence=sequence)

    monkeypatch.setattr("delivery.opening.open_environment", open_and_look)
    return found


@pytest.fixture
def given(platform, seen):
    """Production has two secrets; returns what its target was given of them."""
    environment = DeliveryEnvironment(secrets={"API_KEY": CANARY})
    environment.save(block_name("shop", "production"), overwrite=True, _sync=True)
    Secret(value=NAMED).save("shop-token", overwrite=True, _sync=True)
    Secret(value=OF_SUITE).save("suite-token", overwrite=True, _sync=True)
    production = {"target": MEMORY, "secrets": {"TOKEN": "shop-token"}, "acceptance": ["smoke"]}
    suite = {"image": "web", "secrets": {"TOKEN": "suite-token"}}
    platform.describe(environments={"production": production}, suites={"unit": suite, "smoke": suite})
    yield seen
    DeliveryEnvironment.delete(block_name("shop", "production"), _sync=True)


def runs_of(run: str) -> list[UUID]:
    with get_client(sync_client=True) as client:
        below = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[UUID(run)]))
        return [UUID(run), *(child.id for child in client.read_flow_runs(flow_run_filter=below))]


def logs_of(run: str) -> list[str]:
    with get_client(sync_client=True) as client:
        wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=runs_of(run)))
        return [entry.message for entry in client.read_logs(log_filter=wanted)]


def kept_in(*folders: Path) -> bytes:
    return b"".join(path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("healthy", [True, False], ids=["delivered", "withdrawn"])
def test_a_secret_is_in_nothing_that_is_kept(platform, given, server, healthy):
    platform.behaviour().requests = 1000 if healthy else 0

    run = platform.deliver()

    platform.until(lambda: any("report:" in line for line in logs_of(run.id)))
    with get_client(sync_client=True) as client:
        parameters = [str(client.read_flow_run(found).parameters) for found in runs_of(run.id)]
    database = Path(urlparse(PREFECT_SERVER_DATABASE_CONNECTION_URL.value()).path.removeprefix("/"))
    kept = kept_in(platform.root, server) + b"".join(
        path.read_bytes() for path in database.parent.glob(f"{database.name}*")
    )
    searched = kept.decode(errors="replace") + "".join([*parameters, *logs_of(run.id), *artifacts(run.id).values()])
    assert given == {"API_KEY": CANARY, "TOKEN": NAMED}
    assert run.id in searched
    assert CANARY not in searched
    assert NAMED not in searched
    assert platform.containers.secrets["unit"] == {"TOKEN": OF_SUITE}
    assert platform.containers.secrets["smoke"] == {"TOKEN": OF_SUITE}
    assert OF_SUITE not in searched
    assert "told [" in searched  # the acceptance suite printed what it was given


@pytest.fixture(scope="module")
def account(aws):
    """A local AWS with a secret."""
    aws.client("secretsmanager").create_secret(Name="shop/db", SecretString=f'{{"token": "{ON_AWS}"}}')
    return aws


@pytest.fixture
def on_aws(platform, account, monkeypatch):
    """Production has credentials for an AWS with a secret."""
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "us-east-1"}
    credentials = AwsCredentials(**keys, aws_client_parameters={"endpoint_url": account.url})
    credentials.save("shop-account", overwrite=True, _sync=True)
    block = DeliveryEnvironment(aws_credentials="shop-account")
    block.save(block_name("shop", "production"), overwrite=True, _sync=True)
    yield
    DeliveryEnvironment.delete(block_name("shop", "production"), _sync=True)


@pytest.mark.usefixtures("on_aws")
@pytest.mark.parametrize("platform", ["folder"], indirect=True)  # it looks at the files
def test_a_secret_of_secrets_manager_reaches_the_environment_and_nothing_that_is_kept(platform, seen, server):
    secrets = {"TOKEN": "aws-secretsmanager:shop/db#token"}
    platform.describe(environments={"production": {"target": MEMORY, "secrets": secrets}})
    platform.behaviour().requests = 1000

    run = platform.deliver()

    searched = kept_in(platform.root, server).decode(errors="replace") + "".join(logs_of(run.id))
    assert seen == {"TOKEN": ON_AWS}
    assert run.id in searched
    assert ON_AWS not in searched


@pytest.mark.usefixtures("on_aws")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("aws-secretsmanager:shop/none#token", "secret shop/none: Secrets Manager in us-east-1 has none of that name"),
        ("aws-secretsmanager:shop/db#tokne", "secret shop/db: has no key tokne; allowed: token"),
    ],
)
def test_a_secret_that_aws_does_not_have_is_told_before_anything_is_built(platform, name, said):
    platform.describe(environments={"production": {"target": MEMORY, "secrets": {"TOKEN": name}}})

    run = platform.deliver()

    assert run.ended[0] == "Misconfigured"
    assert f"headway.yaml: environments.production.secrets.TOKEN: {said}" in run.ended[1]
    assert platform.containers.calls["build web"] == 0


def test_a_secret_that_is_not_there_is_told_before_anything_is_built(platform):
    platform.describe(environments={"production": {"target": MEMORY, "secrets": {"TOKEN": "no-such-secret"}}})

    run = platform.deliver()

    assert run.ended[0] == "Misconfigured"
    assert "headway.yaml: environments.production.secrets.TOKEN: there is no secret no-such-secret" in run.ended[1]
    assert platform.containers.calls["build web"] == 0


def test_a_secret_of_a_suite_that_is_not_there_is_told_before_anything_is_built(platform):
    platform.describe(suites={"unit": {"image": "web", "secrets": {"TOKEN": "no-such-secret"}}})

    run = platform.deliver()

    assert run.ended[0] == "Misconfigured"
    assert "headway.yaml: suites.unit.secrets.TOKEN: there is no secret no-such-secret" in run.ended[1]
    assert platform.containers.calls["build web"] == 0


def test_a_secret_of_a_build_that_is_not_there_is_told_before_anything_is_built(platform):
    test = {"context": ".", "build_secrets": {"token": "no-such-token"}}
    platform.describe(images={"web": {"build_secrets": {"npmrc": "no-such-secret"}}}, suites={"unit": {"build": test}})

    run = platform.deliver()

    assert run.ended[0] == "Misconfigured"
    assert "headway.yaml: images.web.build_secrets.npmrc: there is no secret no-such-secret" in run.ended[1]
    assert "headway.yaml: suites.unit.build.build_secrets.token: there is no secret no-such-token" in run.ended[1]
    assert platform.containers.calls["build web"] == 0


def test_a_build_gets_its_own_secrets_and_nothing_keeps_them(platform):
    Secret(value=OF_BUILD).save("read-token", overwrite=True, _sync=True)
    platform.describe(images={"web": {"build_secrets": {"npmrc": "read-token"}}})

    platform.deliver()

    assert platform.containers.secrets["web"] == {"npmrc": OF_BUILD}
    assert OF_BUILD not in kept_in(platform.root).decode(errors="replace")


@pytest.mark.long
def test_each_part_gets_the_secrets_it_names_by_the_word_of_its_environment(platform, monkeypatch):
    for name in ("cache-staging", "cache-production", "everywhere", "token"):
        Secret(value=f"value of {name}").save(name, overwrite=True, _sync=True)
    platform.describe(
        backing={"cache": {"image": "redis:7", "secrets": ["PASSWORD"]}},
        database={"migrate": {"image": "web", "secrets": {"PASSWORD": None, "KEY": "everywhere"}}},
        services={"web": {"port": 8000, "secrets": {"TOKEN": "token"}}},
        environments={
            "staging": {"target": MEMORY, "secrets": {"PASSWORD": "cache-staging"}},
            "production": {"target": MEMORY, "after": "staging", "secrets": {"PASSWORD": "cache-production"}},
        },
    )
    given = {}

    def open_and_look(app, environment, settings, *, sequence):
        secrets = {
            key: {name: one.get_secret_value() for name, one in own.items()} for key, own in settings.parts.items()
        }
        given.setdefault(settings.environment, []).append((secrets, settings.revealed_to("web")))
        return open_environment(app, environment, settings, sequence=sequence)

    monkeypatch.setattr("delivery.opening.open_environment", open_and_look)

    run = platform.deliver()

    assert run.state.is_completed(), run.ended
    for environment in ("staging", "production"):
        password = {"PASSWORD": f"value of cache-{environment}"}
        migration = {**password, "KEY": "value of everywhere"}
        token = {"TOKEN": "value of token"}
        parts = {"backing.cache": password, "database.migrate": migration, "services.web": token}
        assert (parts, {**password, **token}) in given[environment]
        assert platform.containers.secrets[f"migrate {environment}"] == migration


def test_all_secrets_that_are_missing_are_told_at_once_with_what_to_do(platform):
    platform.describe(
        backing={"cache": {"image": "redis:7", "secrets": ["CACHE_PASSWORD"]}},
        database={"migrate": {"image": "web", "secrets": {"KEY": "no-such-key"}}},
        suites={"unit": {"image": "web", "secrets": {"TOKEN": "no-such-token"}}},
        environments={"production": {"target": MEMORY, "secrets": {"API": "no-such-api"}}},
    )

    run = platform.deliver()

    assert run.ended[0] == "Misconfigured"
    for told in (
        "headway.yaml: backing.cache.secrets.CACHE_PASSWORD: environments.production.secrets gives it no value",
        "headway.yaml: database.migrate.secrets.KEY: there is no secret no-such-key",
        "headway.yaml: suites.unit.secrets.TOKEN: there is no secret no-such-token",
        "headway.yaml: environments.production.secrets.API: there is no secret no-such-api",
        "CACHE_PASSWORD: shop-production-cache-password",
        "headway secret set no-such-key",
    ):
        assert told in run.ended[1]
    assert platform.containers.calls["build web"] == 0


def test_a_certificate_with_another_key_is_told_before_anything_is_built(platform):
    certificate, mark, _ = self_signed("shop.org").partition("-----BEGIN PRIVATE KEY")
    key = self_signed("other.org").partition(mark)[2]
    Secret(value=certificate + mark + key).save("shop-tls", overwrite=True, _sync=True)
    target = {"target": {"kind": "docker", "tls": {"secret": "shop-tls"}}}
    platform.describe(environments={"staging": target, "production": {"target": MEMORY, "after": "staging"}})

    run = platform.deliver()

    assert run.ended[0] == "Misconfigured"
    assert "environments.staging.target.tls[0]: the private key is not that of the certificate for shop" in run.ended[1]
    assert key.splitlines()[1] not in run.ended[1]
    assert platform.containers.calls["build web"] == 0


@pytest.fixture
def secure(tmp_path):
    """An application whose certificate and key lie in two files; returns it with the files."""
    files = {"certificate": str(tmp_path / "chain.pem"), "key": str(tmp_path / "key.pem")}
    environments = {"production": {"target": {"tls": files}}}
    web = {"port": 8000, "hosts": ["shop.org", "shop.de"]}
    app = make_app(images={"web": {}}, services={"web": web}, suites={}, environments=environments)
    return app, tmp_path / "chain.pem", tmp_path / "key.pem"


def test_a_certificate_that_ends_soon_or_lacks_a_host_is_warned_of(secure):
    app, chain, key = secure
    certificate, mark, rest = self_signed("shop.org", lives=timedelta(days=3)).partition("-----BEGIN PRIVATE KEY")
    chain.write_text(certificate)
    key.write_text(mark + rest)

    ends, lacks = certificate_problems(app, "production")

    assert "environments.production.target.tls[0]: the certificate for shop.org ends at 2" in ends
    assert lacks == "environments.production.target.tls: no certificate is for shop.de; there are those for shop.org"


def test_a_certificate_that_cannot_be_read_is_told_with_its_file(secure):
    app, chain, key = secure
    chain.write_text(self_signed("shop.org").partition("-----BEGIN PRIVATE KEY")[0])

    with pytest.raises(Misconfigured, match=rf"target.tls\[0\].key: {key} cannot be read: No such file or directory"):
        certificate_problems(app, "production")
