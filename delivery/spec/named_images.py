"""The images that headway.yaml itself names: those it gets from elsewhere, not those it builds."""

from collections.abc import Iterable

from delivery.spec.app import App, environment_of
from delivery.spec.matrix import cells_of, suites_of_environments
from delivery.spec.suites import Suite


def images_of_tests(app: App) -> tuple[str, ...]:
    """Return the images from elsewhere that the test matrix runs, each once."""
    elsewhere = suites_of_environments(app)
    suites = {name: suite for name, suite in app.suites.items() if name not in elsewhere and not suite.compose}
    named = [image for name in suites for image in _images_of_suite(app, name)]
    if any(suite.database or suite.services for suite in suites.values()):
        named += _images_beside(app)
    named += [app.service_image(name) for name in _services_beside(app, suites.values())]
    return _from_elsewhere(app, named)


def images_of_environment(app: App, environment: str) -> tuple[str, ...]:
    """Return the images from elsewhere that run in an environment or ask it, each once."""
    place = environment_of(app, environment)
    checks = {check.suite for check in place.checks if check.suite}
    named = [image for name in sorted({*place.acceptance, *checks}) for image in _images_of_suite(app, name)]
    asking = [check.command.image for check in place.checks if check.command]
    asking += [hook.image for _, hook in app.hooks.keyed() if not hook.environments or environment in hook.environments]
    services = [app.service_image(name) for name in app.services]
    return _from_elsewhere(app, [*services, *_images_beside(app), *named, *asking])


def _images_of_suite(app: App, name: str) -> list[str]:
    suite = app.suites[name]
    return [cell.fill_axes(suite.image) for cell in cells_of(name, suite)] if suite.image else []


def _images_beside(app: App) -> list[str]:
    named = [backing.image for backing in app.backing.values()]
    if app.database:
        named.append(app.database.image)
        named += [app.database.migrate.image] if app.database.migrate else []
    return named


def _from_elsewhere(app: App, named: list[str]) -> tuple[str, ...]:
    ours = {*app.images, *(f"suite-{name}" for name in app.suites)}
    return tuple(dict.fromkeys(name for name in named if name not in ours))


def _services_beside(app: App, suites: Iterable[Suite]) -> list[str]:
    """Return the services that run beside the suites: those they name, and what these need."""
    wanted: dict[str, None] = {}
    ahead = [name for suite in suites for name in suite.services]
    while ahead:
        name = ahead.pop(0)
        if name in app.services and name not in wanted:
            wanted[name] = None
            ahead += app.services[name].needs
    return list(wanted)


def image_keys(app: App) -> list[tuple[str, str]]:
    """Return key and image of every place in headway.yaml that names an image, those under `images` included."""
    found = [(f"services.{name}.image", app.service_image(name)) for name in app.services]
    found += [(f"backing.{name}.image", backing.image) for name, backing in app.backing.items()]
    if app.database:
        found.append(("database.image", app.database.image))
        if app.database.migrate:
            found.append(("database.migrate.image", app.database.migrate.image))
    found += [(f"suites.{name}.image", image) for name in app.suites for image in _images_of_suite(app, name)]
    for name, environment in app.environments.items():
        for number, check in enumerate(environment.checks):
            if check.command:
                found.append((f"environments.{name}.checks[{number}].command.image", check.command.image))
    found += [(f"{key}.image", hook.image) for key, hook in app.hooks.keyed()]
    return list(dict.fromkeys(found))


def foreign_image_keys(app: App) -> list[tuple[str, str]]:
    """Return key and image of every place that names an image from elsewhere."""
    return [(key, image) for key, image in image_keys(app) if _from_elsewhere(app, [image])]


def unused_images(app: App) -> list[str]:
    """Return the names under `images` that nothing in the file runs."""
    used = {image for _, image in image_keys(app)}
    return [name for name in app.images if name not in used]
