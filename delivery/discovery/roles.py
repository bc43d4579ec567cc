"""What a service of a Compose file is there for: the application, what is kept beside it, or neither."""

import re
from collections.abc import Collection, Mapping

from delivery.discovery.compose_services import ComposeService

_POSTGRES = re.compile(
    r"^(postgres|postgis|pgvector|postgresql|timescaledb(-ha)?|pg\d+|alpine-postgres|postgresql-\d+.*)$"
)
_OTHER_SQL = re.compile(
    r"^(mysql|mysql-server|mariadb|percona|percona-server|mssql|mssql/server|azure-sql-edge|oracle.*|cockroach"
    r"|mongo|mongodb.*)$"
)
_PROXY = re.compile(
    r"^(traefik|nginx-proxy|jwilder-nginx|acme-companion|letsencrypt-nginx-proxy-companion|docker-letsencrypt.*"
    r"|nginx-proxy-manager|nginx-certbot|caddy|caddy-docker-proxy|haproxy|envoy|certbot|cloudflared|swag|ngrok|kong"
    r"|docker-socket-proxy|oauth2-proxy|nginx|nginx-unprivileged|httpd|openresty|pgbouncer|https-portal|tailscale)$"
)
_ADMIN = re.compile(
    r"^(adminer|pgadmin4?|pgweb|phpmyadmin|mongo-express|redis-commander|redisinsight|redis-insight|redisadmin"
    r"|phpredisadmin"
    r"|mailhog|mailpit|maildev|mailcatcher|mailtrap|smtp4dev|inbucket|portainer(-ce|-ee)?|watchtower|dozzle|flower"
    r"|celery-flower|kafka-ui|kafdrop|akhq|cmak|dbgate|cloudbeaver|sqlpad|dbeaver|autoheal|docker-autoheal|ofelia"
    r"|swagger-ui|swagger-editor|rediscommander|elasticsearch-hq|elastichq|cerebro|kibana|opensearch-dashboards"
    r"|rabbitmq-management-ui|bull-board|temporal-ui|browser-sync|livereload|minio/mc|temporalio/ui)$"
)
_WATCHING = re.compile(
    r"^(prometheus|grafana(-oss)?|loki|promtail|tempo|alertmanager|cadvisor|node-exporter|.*[-_]exporter"
    r"|blackbox-exporter"
    r"|jaeger|jaegertracing/all-in-one|zipkin|opentelemetry-collector(-contrib)?|otel-collector|fluentd"
    r"|fluent-bit|timberio/vector|telegraf|netdata"
    r"|datadog/agent|grafana/agent|datadog-agent|filebeat|metricbeat|logstash|uptime-kuma|pyroscope)$"
)
_BACKUP = re.compile(
    r"(^|[-_/])(backups?|docker-volume-backup|restic|borg\w*|pgbackrest|wal-g|postgres-backup[\w-]*)([-_]|$)"
)
_LANGUAGE = re.compile(
    r"^(node|python|golang|go|ruby|php|openjdk|eclipse-temurin|maven|gradle|rust|bun|deno|denoland|sdk|aspnet"
    r"|composer|alpine|debian|ubuntu|busybox|bash)$"
)
_MIGRATES = re.compile(
    r"(^|[-_.])(migrat\w*|db-?migrate|prestart|db-?init|init-?db|db-?setup|flyway|liquibase)([-_.]|$)"
)
_MIGRATION_WORDS = re.compile(
    r"migrat|upgrade\s+head|upgrade\s+heads|db\s+upgrade|db:setup|ecto\.|flyway|liquibase|prestart|db\s+push"
)
_TESTS = re.compile(
    r"^((.*[-_])?(tests?|e2e|pytest|jest|sut|specs?|cypress|playwright|lint(er)?)|tests?[-_].*|e2e[-_].*)$"
)
_ASIDE_PROFILES = re.compile(
    r"^(dev|devel|development|local|debug|tests?|testing|e2e|ci|tools?|admin|monitoring|observability|seed|docs?"
    r"|manual|donotstart|disabled)([-_].*)?$"
)
_PRODUCTION_PROFILES = re.compile(r"^(prod|production|app|application|web|all|full|default|live)$")


def image_name(reference: str) -> str:
    """Return the last part of an image's name, without tag and digest."""
    return reference.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()


def _names(reference: str) -> list[str]:
    """Return an image's name by itself and with the one before it: `mc`, `minio/mc`."""
    path = reference.partition("@")[0].lower().split("/")
    last = path[-1].partition(":")[0]
    return [last, "/".join([*path[-2:-1], last])]


def role_of(service: ComposeService, others: Mapping[str, ComposeService]) -> str:
    """Return the service's role, one of the keys of `WORDS` or application, database, backing, migration, tests."""
    name, key = image_name(service.image), service.name.lower()
    if service.profiles and not any(_PRODUCTION_PROFILES.match(one) for one in service.profiles):
        return "tests" if _TESTS.match(key) else "profile"
    if _is_migration(service, others):
        return "migration"
    if _TESTS.match(key) and not service.published:
        return "tests"
    if _BACKUP.search(key) or _BACKUP.search(name):
        return "backup"
    if service.build is not None:
        return "database" if _POSTGRES.match(name) and not service.published else "application"
    for role, like in (("database", _POSTGRES), ("proxy", _PROXY), ("admin", _ADMIN), ("watching", _WATCHING)):
        if any(like.match(one) for one in _names(service.image)):
            return role
    if _is_awaited(service, others):
        return "once"
    if _LANGUAGE.match(name) and (service.binds or service.command):
        return "sources"
    return "backing" if service.image else "nothing"


# What is said of a service that is left out.
WORDS = {
    "profile": "it is started on demand only (profiles: {profiles})",
    "proxy": "the router in front of a release takes the place of a proxy",
    "admin": "it is a tool for people, not a part of a release",
    "watching": "it looks at the application and is no part of it; it stays where it is",
    "backup": "backups of the database are the environment's (`prove_backup`)",
    "once": "it runs once and ends",
    "sources": "{image} runs sources that are mounted from the machine: write a Dockerfile for it",
    "nothing": "it names neither an image nor a build",
}


def is_other_database(service: ComposeService) -> bool:
    """Whether it is a database of another engine than the one that is migrated and proven."""
    return any(_OTHER_SQL.match(name) for name in _names(service.image))


def migrates(words: Collection[str]) -> bool:
    """Whether a command brings a schema up to date."""
    return bool(_MIGRATION_WORDS.search(" ".join(words)))


def _is_migration(service: ComposeService, others: Mapping[str, ComposeService]) -> bool:
    words = [*(service.entrypoint or []), *(service.command or [])]
    named = bool(_MIGRATES.search(service.name.lower()) or _MIGRATES.search(image_name(service.image)))
    if service.published:
        return False
    return (named and bool(words or service.image or service.build)) or (
        _is_awaited(service, others) and migrates(words)
    )


def _is_awaited(service: ComposeService, others: Mapping[str, ComposeService]) -> bool:
    """Whether others start only after it has ended."""
    return any(one.needs.get(service.name) == "service_completed_successfully" for one in others.values())
