"""Secrets that headway.yaml names: read from the blocks that hold them, and all that are missing told at once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from pydantic import SecretStr

from delivery.errors import Misconfigured, all_of
from delivery.ports.settings import EnvironmentSettings
from delivery.spec.app import App, environment_of
from delivery.spec.hooks import Hook
from delivery.spec.images import Image
from tasks.secret_values import load_value


def with_named_secrets(app: App, settings: EnvironmentSettings) -> EnvironmentSettings:
    """Return the settings with the secrets of its environment and of every part that runs there.

    What the environment gives a variable wins over the block that the part names. Raises Misconfigured, with all of
    them, when there are some that are not there.
    """
    blocks = _Blocks()
    secrets, parts = blocks.of_environment(app, settings)
    blocks.check()
    return replace(settings, secrets=secrets, parts=parts)


def suite_secrets(app: App, suite: str) -> dict[str, SecretStr]:
    """Return the secrets of a suite; Misconfigured, with all of them, when there are some that are not there."""
    blocks = _Blocks()
    found = blocks.of_suite(app, suite)
    blocks.check()
    return found


def hook_secrets(key: str, hook: Hook) -> dict[str, SecretStr]:
    """Return the secrets of a hook; Misconfigured, with all of them, when there are some that are not there."""
    blocks = _Blocks()
    found = blocks.of_hook(key, hook)
    blocks.check()
    return found


def build_secrets(key: str, image: Image) -> dict[str, SecretStr]:
    """Return the secrets of the steps of an image; Misconfigured, with all of them, when there are some missing."""
    blocks = _Blocks()
    found = blocks.of_image(key, image)
    blocks.check()
    return found


def check_secrets(app: App, places: Collection[EnvironmentSettings], suites: Collection[str]) -> None:
    """Return when every secret that the images, these environments and suites need is there.

    Raises Misconfigured with all that are missing.
    """
    blocks = _Blocks()
    others = {f"suites.{name}.build" for name in app.suites if name not in suites}
    for key, image in app.builds().items():
        if key not in others:
            blocks.of_image(key, image)
    for settings in places:
        blocks.of_environment(app, settings)
        for key, hook in app.hooks.keyed():
            if hook.concerns(settings.environment, goes_back=False):
                blocks.of_hook(key, hook)
    for suite in suites:
        blocks.of_suite(app, suite)
    blocks.check()


@dataclass
class _Blocks:
    """Blocks that were asked for, each once, and what was wrong with them."""

    known: dict[tuple[str, str], SecretStr | None] = field(default_factory=dict)
    missing: list[Misconfigured] = field(default_factory=list)

    def check(self) -> None:
        if self.missing:
            raise all_of(self.missing)

    def of_image(self, key: str, image: Image) -> dict[str, SecretStr]:
        return self._named(f"{key}.build_secrets", image.build_secrets)

    def of_hook(self, key: str, hook: Hook) -> dict[str, SecretStr]:
        return self._named(f"{key}.secrets", hook.secrets)

    def of_suite(self, app: App, suite: str) -> dict[str, SecretStr]:
        return self._named(f"suites.{suite}.secrets", app.suites[suite].secrets)

    def of_environment(
        self, app: App, settings: EnvironmentSettings
    ) -> tuple[dict[str, SecretStr], dict[str, dict[str, SecretStr]]]:
        where = f"environments.{settings.environment}.secrets"
        named = environment_of(app, settings.environment).secrets
        everywhere = {**settings.secrets, **self._named(where, named, settings)}
        parts = {}
        for key, secrets in app.secrets_of_parts().items():
            inherited = {variable: everywhere[variable] for variable in secrets if variable in everywhere}
            own = {
                variable: block
                for variable, block in secrets.items()
                if block is not None and variable not in (*everywhere, *named)
            }
            parts[key] = inherited | self._named(f"{key}.secrets", own, settings)
            for variable, block in secrets.items():
                if block is None and variable not in (*everywhere, *named):
                    self._miss(
                        f"{key}.secrets.{variable}",
                        f"{where} gives it no value",
                        f"name a secret there, as {variable}: {app.app}-{settings.environment}-{_as_name(variable)}",
                    )
        return everywhere, parts

    def _named(
        self, where: str, named: Mapping[str, str], settings: EnvironmentSettings | None = None
    ) -> dict[str, SecretStr]:
        found = {}
        for variable, name in named.items():
            try:
                value = self._value(name, settings)
            except Misconfigured as error:  # of another store, in its own words
                self._miss(f"{where}.{variable}", f"{error.where}: {error.found}", error.next_step, error.allowed)
                continue
            if value is None:
                self._miss(f"{where}.{variable}", f"there is no secret {name}", f"headway secret set {name}")
            else:
                found[variable] = value
        return found

    def _value(self, name: str, settings: EnvironmentSettings | None) -> SecretStr | None:
        """Return the value, asked for once: environments may be of accounts that call theirs the same."""
        key = (settings.environment if settings and settings.aws else "", name)
        if key not in self.known:
            self.known[key] = load_value(name, settings.aws if settings else None)
        return self.known[key]

    def _miss(self, where: str, found: str, next_step: str, allowed: str = "") -> None:
        self.missing.append(Misconfigured(f"headway.yaml: {where}", found, allowed, next_step))


def _as_name(variable: str) -> str:
    return variable.lower().replace("_", "-")
