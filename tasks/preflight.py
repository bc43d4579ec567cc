"""What an environment needs on this platform, looked at without changing anything."""

from collections.abc import Iterator
from functools import partial

from blocks.artifact_store import current_store
from delivery import opening
from delivery.errors import HeadwayError, Misconfigured
from delivery.home import Home
from delivery.ports.aws_account import AwsAccount
from delivery.ports.preflight import Finding, Look, look_at
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App
from delivery.spec.aws_secret import aws_secret_name
from delivery.spec.secret_blocks import named_secrets
from delivery.state import check_state
from tasks.environment import load_settings, open_target
from tasks.secret_values import load_value


def preflight(app: App, environment: str) -> list[Finding]:
    """Return how everything is that a delivery into an environment needs, and what is wrong with it."""
    try:
        settings = load_settings(app, environment)
    except HeadwayError as error:  # nothing else can be asked without it
        return look_at([Look("settings of the environment", partial(_raise, error))])
    parts = (
        _platform(),
        _registry(app, settings),
        _accounts(app, settings),
        _secrets(app, settings),
        _place(settings, app),
    )
    return look_at(look for part in parts for look in part)


def _raise(error: HeadwayError) -> str:
    raise error


def _platform() -> Iterator[Look]:
    yield Look("artifact store", _store)


def _store() -> str:
    check_state(Home.current())
    store = current_store()
    next(iter(store.keys("releases")), None)
    return store.locate("releases")


def _registry(app: App, settings: EnvironmentSettings) -> Iterator[Look]:
    registry = settings.registry
    if registry is None:
        return
    yield Look("image registry", registry.address)
    if registry.look:
        for name in (*app.images, "release"):
            yield Look(f"repository of {name}", partial(registry.look, f"{app.app}/{name}"))


def _accounts(app: App, settings: EnvironmentSettings) -> Iterator[Look]:
    on_aws = [name for name in named_secrets(app).values() if aws_secret_name(name)]
    if settings.aws:
        yield from opening.account_looks(settings.aws, settings.environment)
    if on_aws or Home.current().bucket:
        yield from opening.account_looks(AwsAccount(), "this machine")


def _secrets(app: App, settings: EnvironmentSettings) -> Iterator[Look]:
    here = f"environments.{settings.environment}."
    for key, name in named_secrets(app).items():
        if not key.startswith("environments.") or key.startswith(here):
            # The account is the environment's, but for what is built and tested before there is one.
            of_everybody = key.startswith("suites.") or ".build_secrets." in key
            yield Look(key, partial(_secret, name, None if of_everybody else settings.aws))


def _secret(name: str, account: AwsAccount | None) -> str:
    if load_value(name, account) is None:
        raise Misconfigured(f"secret {name}", "there is none of that name", next_step=f"headway secret set {name}")
    return name


def _place(settings: EnvironmentSettings, app: App) -> Iterator[Look]:
    yield from opening.target_looks(app, settings)
    yield Look(f"target of {settings.environment}", partial(_observed, app, settings.environment))


def _observed(app: App, environment: str) -> str:
    with open_target(app, environment) as target:
        state = target.observe()
    live = state.live.release if state.live else None
    return f"{live.fingerprint} is live" if live else "nothing is live"
