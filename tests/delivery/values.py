"""Small values that many tests need."""

from datetime import UTC, datetime

from delivery.releases.release import ImageRef, Release, Revision
from delivery.spec.app import App

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def make_revision(number: int = 1, subject: str = "Change something") -> Revision:
    return Revision(sha=f"{number:040x}", tree=f"{number:040x}", subject=subject, author="A. Author", committed=NOON)


def make_release(number: int = 1, *, app: str = "shop", migrations: str = "m1", configuration: str = "c1") -> Release:
    image = ImageRef(repository=f"{app}/web", digest=f"sha256:{number:064x}")
    return Release(
        app=app,
        revision=make_revision(number),
        images={"web": image},
        migrations_hash=migrations,
        configuration_hash=configuration,
        created=NOON,
    )


def make_app(**more: object) -> App:
    fields: dict[str, object] = {
        "app": "shop",
        "images": {"web": {}},
        "services": {"web": {"port": 8000}},
        "environments": {"production": {"target": {"kind": "memory"}}},
    }
    return App.model_validate(fields | more)
