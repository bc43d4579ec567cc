"""What an application keeps beside its database, which no backup of the database is about."""

import re
from collections.abc import Iterator, Mapping

from delivery.spec.app import App, environment_of
from delivery.spec.variables import INFRASTRUCTURE, placeholders

_NAMES_A_BUCKET = re.compile(r"(^|_)BUCKET(_NAME)?$", re.IGNORECASE)
_IS_OF_A_BUCKET = re.compile(r"bucket|attachments|storage", re.IGNORECASE)
_ADDRESS = re.compile(r"^s3://([A-Za-z0-9.-]+)")


def beside_database(app: App, environment: str) -> tuple[str, ...]:
    """Return the volumes and buckets that hold what belongs to the database's rows, as far as headway.yaml tells."""
    return tuple(dict.fromkeys((*_volumes(app), *_buckets(app, environment))))


def left_behind(app: App, environment: str) -> str:
    """Return what does not go along when the database alone goes back in time, in a sentence; empty: nothing is known.

    Rows and files were of one moment before, and are of two then.
    """
    found = beside_database(app, environment)
    if not found:
        return ""
    return (
        f"not part of it, and as they are now: {', '.join(found)}; rows may name what is not there any more, "
        "and what came since has no row"
    )


def _volumes(app: App) -> Iterator[str]:
    for volume in sorted({name for service in app.services.values() for name in service.volumes}):
        users = [name for name, service in app.services.items() if volume in service.volumes]
        yield f"volume {volume} (services.{', services.'.join(users)})"
    yield from (f"volume of backing.{name}" for name, backing in app.backing.items() if backing.volume)


def _buckets(app: App, environment: str) -> Iterator[str]:
    yield from _named(environment_of(app, environment).env, f"environments.{environment}.env")
    for name, service in app.services.items():
        yield from _named(service.env, f"services.{name}.env")


def _named(env: Mapping[str, str], where: str) -> Iterator[str]:
    for variable, value in env.items():
        outputs = [one for one in placeholders(value) if one.startswith(INFRASTRUCTURE)]
        address = _ADDRESS.match(value)
        if address:
            yield f"bucket {address[1]} ({where}.{variable})"
        elif value and (_NAMES_A_BUCKET.search(variable) or any(map(_IS_OF_A_BUCKET.search, outputs))):
            yield f"bucket {value} ({where}.{variable})"
