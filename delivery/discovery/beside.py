"""What is kept beside the application: its PostgreSQL database, and caches, brokers and other engines as they are."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from delivery.discovery.compose_files import ComposeFile
from delivery.discovery.compose_services import ComposeService
from delivery.discovery.draft import Draft, yaml_line
from delivery.discovery.environment import Surroundings, is_secret
from delivery.discovery.folders import is_file
from delivery.discovery.interpolation import unknown_variables, without_unknown
from delivery.discovery.roles import image_name, is_other_database
from delivery.model import FOLDER_PATTERN
from delivery.spec.database import DATABASE_PATTERN

_POSTGRES_IMAGES = re.compile(r"^(postgres|postgis|pgvector|timescaledb(-ha)?)$")
# Where programs listen that are kept beside an application, for files that do not say it.
_PORTS = {
    6379: ("redis", "valkey", "keydb", "dragonfly", "redis-stack", "redis-stack-server"),
    11211: ("memcached",),
    5672: ("rabbitmq", "lavinmq", "activemq-artemis"),
    4222: ("nats", "nats-streaming"),
    9092: ("kafka", "cp-kafka", "redpanda", "kafka-native"),
    2181: ("zookeeper", "cp-zookeeper"),
    3306: ("mysql", "mariadb", "percona", "mysql-server"),
    27017: ("mongo", "mongodb", "mongodb-community-server"),
    1433: ("server", "azure-sql-edge"),
    9200: ("elasticsearch", "opensearch"),
    7700: ("meilisearch",),
    8108: ("typesense",),
    9000: ("minio", "sonarqube"),
    1883: ("eclipse-mosquitto", "emqx", "hivemq4"),
    6333: ("qdrant",),
    8080: ("keycloak", "weaviate", "hasura", "graphql-engine"),
    4566: ("localstack",),
    8123: ("clickhouse-server", "clickhouse"),
    8086: ("influxdb",),
    7687: ("neo4j",),
    9042: ("cassandra", "scylla"),
    8200: ("vault",),
    2379: ("etcd",),
    3000: ("gotenberg", "browserless", "chrome"),
    8983: ("solr",),
    5984: ("couchdb",),
    26257: ("cockroach",),
    10000: ("azurite",),
}
_KNOWN_PORTS = {name: port for port, names in _PORTS.items() for name in names}


def database_content(service: ComposeService, file: ComposeFile, image: str, draft: Draft) -> dict[str, Any]:
    """Return the keys of `database` from the Compose service that is a PostgreSQL server."""
    content: dict[str, Any] = {}
    if _POSTGRES_IMAGES.match(image_name(image)):
        content["image"] = image
    else:
        number = re.search(r":(?:pg)?(\d{2})\b", image)
        content |= {"image": f"postgres:{number[1]}-alpine"} if number else {}
        draft.guess(f"the database runs PostgreSQL's own image: {image} of {service.name} is set up in another way")
    name = service.environment.get("POSTGRES_DB") or service.environment.get("POSTGRES_USER") or ""
    if re.match(DATABASE_PATTERN, name) and name != "app":
        content["name"] = name
    draft.guess(f"{service.name} in {file.names} is the application's database; services get DATABASE_URL")
    scripts = [mount.source for mount in service.binds if "initdb" in mount.target]
    if scripts:
        draft.decide(
            f"{', '.join(scripts)} fills the database of {service.name} when it is new, which Headway does not do: "
            "let the command under database.migrate do it"
        )
    if service.command:
        draft.leave_out(
            f"{service.name} in {file.names}: the server's options {' '.join(map(without_unknown, service.command))}"
        )
    return content


def add_backing(
    service: ComposeService, name: str, names: Mapping[str, str], file: ComposeFile, draft: Draft
) -> Collection[str]:
    """Add a Compose service that is kept across releases; return the secrets that now stand in the file."""
    said, image = f"{service.name} in {file.names}", image_name(service.image)
    content: dict[str, Any] = {"image": service.image}
    if command := _command(service, said, name, draft):
        content["command"] = command
    port = next(iter(service.ports), None) or _KNOWN_PORTS.get(image)
    if port:
        content["port"] = port
    env, shared = _environment(service, said, name, draft)
    if env:
        content["env"] = env
    if volume := _volume(service, said, file.folder, draft):
        content["volume"] = volume
    if needs := list(dict.fromkeys(names[one] for one in service.needs if one in names)):
        content["needs"] = needs
    draft.content.setdefault("backing", {})[name] = content
    draft.guess(
        f"{said} is kept beside the application, across releases"
        + ("" if port else "; it is not waited for: it names no port")
    )
    if is_other_database(service):
        draft.guess(f"{name} is kept as it is: only PostgreSQL is migrated, and its backups proven, by Headway")
    return shared


def _command(service: ComposeService, said: str, name: str, draft: Draft) -> list[str] | None:
    words = service.words
    if not words:
        return None
    mounted = [mount.target for mount in service.binds if any(mount.target in word for word in words)]
    unknown = [name for word in words for name in unknown_variables(word)]
    if service.entrypoint is not None or mounted or unknown:
        why = (
            f"{', '.join(unknown)} has no value"
            if unknown
            else f"{mounted[0]} is mounted from the machine"
            if mounted
            else "it replaces the entry point"
        )
        draft.decide(
            f"{said}: its command was not copied, {why}; write one under backing.{name}.command where it is needed"
        )
        return None
    return words


def _environment(service: ComposeService, said: str, name: str, draft: Draft) -> tuple[dict[str, str], list[str]]:
    """Return the variables, and which of their values are secrets."""
    env = {key: text for key, text in service.environment.items() if not unknown_variables(text)}
    unknown = [key for key in service.environment if key not in env]
    if unknown:
        values = yaml_line(dict.fromkeys(unknown, "…"))
        draft.decide(f"{said} does not say the value of {', '.join(unknown)}: write backing.{name}.env: {values}")
    if service.env_files:
        draft.decide(
            f"{said} reads {', '.join(service.env_files)}, which is not in the repository: write backing.{name}.env"
        )
    secrets = {key: text for key, text in env.items() if text and is_secret(key, text, Surroundings())}
    if secrets:
        draft.decide(
            f"{', '.join(secrets)} of {name} stands in {said.rpartition(' in ')[2]} and here too: everybody can read it"
        )
    return env, list(secrets.values())


def _volume(service: ComposeService, said: str, folder: Path, draft: Draft) -> str | None:
    """Return the path that is kept; configuration that is mounted from the machine cannot be."""
    kept = [mount.target for mount in service.mounts if mount.kind == "volume"]
    for mount in service.binds:
        is_configuration = bool(re.search(r"\.\w{1,5}$", mount.target)) or is_file(folder / mount.source)
        if is_configuration or "/etc/" in mount.target or mount.target.endswith(".d"):
            draft.leave_out(f"{said} mounts {mount.source} from the machine: make an image that holds it")
        else:
            kept.append(mount.target)
    kept = [path.rstrip("/") for path in kept if re.match(FOLDER_PATTERN, path.rstrip("/"))]
    if len(kept) > 1:
        draft.leave_out(f"{said}: of its volumes only {kept[0]} is kept, not {', '.join(kept[1:])}")
    return kept[0] if kept else None
