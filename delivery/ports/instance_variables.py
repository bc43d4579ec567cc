"""The variables that an instance of a service gets, wherever it runs."""

from delivery.ports.database import DatabaseAccess, standard_variables
from delivery.ports.settings import EnvironmentSettings
from delivery.releases.release import Release
from delivery.spec.app import App
from delivery.spec.environments import Environment
from delivery.spec.variables import fill, output_facts


def instance_variables(
    app: App,
    environment: Environment,
    settings: EnvironmentSettings,
    release: Release,
    service: str,
    access: DatabaseAccess | None,
) -> dict[str, str]:
    """Return an instance's variables, in which there may be secrets; the environment's win over the service's."""
    facts = access.facts() if access else {}
    image = release.images.get(app.service_image(service))
    ours = {
        "HEADWAY_ENVIRONMENT": settings.environment,
        "HEADWAY_REVISION": release.revision.sha,
        "HEADWAY_DIGEST": image.digest if image else "",
    }
    return {
        **standard_variables(access),
        **ours,
        **fill(f"headway.yaml: services.{service}.env", app.services[service].env, facts),
        **fill(
            f"headway.yaml: environments.{settings.environment}.env",
            environment.env,
            {**facts, **output_facts(settings.outputs)},
        ),
        **settings.revealed_to(service),
    }
