"""What a restore of the database alone leaves as it is."""

from delivery.spec.beside_database import beside_database, left_behind
from tests.delivery.values import make_app


def test_volumes_and_buckets_are_told_with_who_uses_them():
    production = {
        "target": {"kind": "memory"},
        "env": {"FILES": "${infrastructure.storage.attachments}", "HOST": "${infrastructure.network.host}"},
        "infrastructure": {"terraform": "infra"},
    }
    app = make_app(
        services={
            "web": {"port": 8000, "volumes": {"uploads": "/data"}, "env": {"S3_BUCKET": "shop-files", "LOG": "warn"}},
            "worker": {"image": "web", "volumes": {"uploads": "/data"}, "env": {"ARCHIVE": "s3://old-files/a?key=b"}},
        },
        backing={"cache": {"image": "redis", "volume": "/data"}, "broker": {"image": "nats"}},
        environments={"production": production},
    )

    assert beside_database(app, "production") == (
        "volume uploads (services.web, services.worker)",
        "volume of backing.cache",
        "bucket ${infrastructure.storage.attachments} (environments.production.env.FILES)",
        "bucket shop-files (services.web.env.S3_BUCKET)",
        "bucket old-files (services.worker.env.ARCHIVE)",
    )
    assert left_behind(app, "production").startswith("not part of it, and as they are now: volume uploads")


def test_an_application_with_a_database_alone_leaves_nothing_behind():
    assert left_behind(make_app(), "production") == ""
