"""The secret blocks that a `headway.yaml` names: the one list, for whoever loads, checks or shows them."""

from delivery.spec.app import App


def named_secrets(app: App) -> dict[str, str]:
    """Return key of headway.yaml → name of the secret block, for every secret the file names."""
    found: dict[str, str] = {}
    for name, environment in app.environments.items():
        found |= {f"environments.{name}.secrets.{key}": block for key, block in environment.secrets.items()}
        for key, one in environment.target.certificates().items():
            found |= {f"environments.{name}.target.{key}.secret": one.secret} if one.secret else {}
    if app.github:
        found["github.token"] = app.github.token
    for where, image in app.builds().items():
        found |= {f"{where}.build_secrets.{key}": block for key, block in image.build_secrets.items()}
    for name, suite in app.suites.items():
        found |= {f"suites.{name}.secrets.{key}": block for key, block in suite.secrets.items()}
    for where, hook in app.hooks.keyed():
        found |= {f"{where}.secrets.{key}": block for key, block in hook.secrets.items()}
    for part, secrets in app.secrets_of_parts().items():
        for key, block in secrets.items():
            # What every environment gives a value of its own needs no other one.
            if block and not all(key in environment.secrets for environment in app.environments.values()):
                found[f"{part}.secrets.{key}"] = block
    if app.repository:
        found |= {f"repository.{key}": name for key, name in app.repository.secrets.items()}
    return found
