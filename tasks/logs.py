"""What the parts of an environment print, without its secrets."""

from collections.abc import Iterator

from pydantic import SecretStr

from delivery.errors import Misconfigured
from delivery.ports.logs import LogLine, LogWish
from delivery.redaction import Redaction
from delivery.spec.app import App
from delivery.spec.aws_secret import aws_secret_name
from delivery.spec.secret_blocks import named_secrets
from tasks.environment import load_settings, open_target
from tasks.known import current_environments
from tasks.secret_values import load_value


def lines(app: str, environment: str, wish: LogWish) -> Iterator[LogLine]:
    """Yield what a part of the environment printed; Misconfigured when nothing was ever released there."""
    known = {(one.app.app, one.environment): one.app for one in current_environments()}
    if (app, environment) not in known:
        there = ", ".join(f"{name} ({where})" for name, where in known)
        raise Misconfigured(f"{environment} of {app}", "nothing was released there", there or "none yet")
    described = known[app, environment]
    hide = redaction_of(described, environment)
    with open_target(described, environment) as target:
        for line in target.logs(wish):
            yield line.model_copy(update={"text": hide.text(line.text)})


def redaction_of(app: App, environment: str, *more: SecretStr) -> Redaction:
    """Return what takes out the secrets of the environment and all others that the file names and that are there."""
    settings, here = load_settings(app, environment), (f"environments.{environment}.", "services.", "backing.")
    named = [
        load_value(name, settings.aws)
        for key, name in named_secrets(app).items()
        if aws_secret_name(name) is None or key.startswith(here)  # of another environment's account it is not ours
    ]
    own = settings.secrets.values()
    return Redaction([*more, *own, *(secret for secret in named if secret)])
