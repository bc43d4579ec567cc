"""What the Compose file keeps beside the application, and what is left out of it."""

from pathlib import Path

import pytest

from tests.delivery.discovery.repository import POSTGRES, composed

LEFT_OUT = {
    "traefik:v3": "proxy",
    "nginx:alpine": "proxy",
    "caddy:2": "proxy",
    "haproxy": "proxy",
    "jwilder/nginx-proxy": "proxy",
    "certbot/certbot": "proxy",
    "cloudflare/cloudflared:latest": "proxy",
    "adminer": "tool",
    "dpage/pgadmin4:8": "tool",
    "phpmyadmin/phpmyadmin": "tool",
    "axllent/mailpit": "tool",
    "mailhog/mailhog": "tool",
    "rediscommander/redis-commander": "tool",
    "portainer/portainer-ce": "tool",
    "containrrr/watchtower": "tool",
    "amir20/dozzle": "tool",
    "mher/flower": "tool",
    "prom/prometheus": "looks at",
    "grafana/grafana:11": "looks at",
    "prodrigestivill/postgres-backup-local": "backups",
    "offen/docker-volume-backup": "backups",
}


@pytest.mark.parametrize("image", LEFT_OUT)
def test_proxies_and_tools_for_people_are_left_out_with_a_word(tmp_path: Path, image: str) -> None:
    found = composed(
        tmp_path, f"  web: {{build: ., ports: ['80'], depends_on: [other]}}\n  other: {{image: '{image}'}}\n"
    )
    assert (found.app.backing, found.app.services["web"].needs) == ({}, ())
    assert LEFT_OUT[image] in found.left_out


def test_a_proxy_that_is_built_from_its_configuration_is_left_out(tmp_path: Path) -> None:
    proxy = {"proxy/Dockerfile": "FROM nginx\nCOPY nginx.conf /etc/nginx/nginx.conf\n", "proxy/nginx.conf": ""}
    found = composed(tmp_path, "  web: {build: ., expose: [80]}\n  proxy: {build: proxy, ports: ['80:80']}\n", **proxy)
    assert list(found.app.services) == ["web"]


def test_a_frontend_that_is_served_by_nginx_is_a_service(tmp_path: Path) -> None:
    front = {
        "front/Dockerfile": "FROM node AS b\nFROM nginx\nCOPY --from=b /dist /usr/share/nginx/html\nCOPY a.conf /etc/\n"
    }
    found = composed(
        tmp_path, "  api: {build: ., ports: ['1:81']}\n  front: {build: front, ports: ['2:80']}\n", **front
    )
    assert found.app.routes() == {"/": "front", "/api": "api"}


def test_services_that_are_started_on_demand_are_left_out(tmp_path: Path) -> None:
    services = (
        "  web: {build: ., ports: ['80']}\n  seed: {build: ., profiles: [tools]}\n  w: {build: ., profiles: [prod]}\n"
    )
    found = composed(tmp_path, services)
    assert set(found.app.services) == {"web", "w"}
    assert "seed in compose.yaml: it is started on demand only (profiles: tools)" in found.left_out


def test_sources_that_run_in_an_image_of_their_language_are_pointed_out(tmp_path: Path) -> None:
    services = "  web: {build: ., ports: ['80']}\n  node: {image: 'node:22', volumes: ['./x:/x'], command: npm start}\n"
    assert "write a Dockerfile for it" in composed(tmp_path, services).left_out


def test_what_is_kept_beside_gets_its_port_volume_and_command(tmp_path: Path) -> None:
    services = """
  web: {build: ., ports: ["80"]}
  redis: {image: "redis:7", command: redis-server --appendonly yes, volumes: ["r:/data"]}
  queue: {image: "rabbitmq:3-management", volumes: ["./data/mq:/var/lib/rabbitmq"], depends_on: [redis]}
  search: {image: "elasticsearch:8", environment: [discovery.type=single-node, "ES_JAVA_OPTS=-Xms1g"]}
  odd: {image: "acme/odd", ports: ["127.0.0.1:1:4567"], volumes: ["./odd.conf:/etc/odd.conf"]}
"""
    backing = composed(tmp_path, services, **{"odd.conf": ""}).draft.content["backing"]
    assert backing == {
        "redis": {
            "image": "redis:7",
            "command": ["redis-server", "--appendonly", "yes"],
            "port": 6379,
            "volume": "/data",
        },
        "queue": {"image": "rabbitmq:3-management", "port": 5672, "volume": "/var/lib/rabbitmq", "needs": ["redis"]},
        "search": {
            "image": "elasticsearch:8",
            "port": 9200,
            "env": {"discovery.type": "single-node", "ES_JAVA_OPTS": "-Xms1g"},
        },
        "odd": {"image": "acme/odd", "port": 4567},
    }


@pytest.mark.parametrize(
    ("image", "written"),
    [
        ("postgres:${PG:-16}-alpine", "postgres:16-alpine"),
        ("postgis/postgis:16-3.4", "postgis/postgis:16-3.4"),
        ("pgvector/pgvector:pg17", "pgvector/pgvector:pg17"),
        ("timescale/timescaledb-ha:pg16", "timescale/timescaledb-ha:pg16"),
        ("bitnami/postgresql:15", "postgres:15-alpine"),
        ("docker.io/library/postgres:14@sha256:abc", "docker.io/library/postgres:14@sha256:abc"),
    ],
)
def test_a_postgresql_server_is_the_applications_database(tmp_path: Path, image: str, written: str) -> None:
    database = composed(tmp_path, f"  web: {{build: ., ports: ['80'], depends_on: [db]}}\n  db: {{image: '{image}'}}\n")
    assert database.app.database
    assert (database.app.database.image, database.app.services["web"].needs) == (written, ())


def test_a_second_engine_is_kept_and_it_is_said_what_is_not_done_for_it(tmp_path: Path) -> None:
    found = composed(tmp_path, f"  web: {{build: ., ports: ['80']}}\n{POSTGRES}  mongo: {{image: 'mongo:7'}}\n")
    assert (list(found.app.backing), found.app.database is not None) == (["mongo"], True)
    assert "mongo is kept as it is: only PostgreSQL is migrated" in found.guesses


def test_scripts_that_fill_a_new_database_are_pointed_out(tmp_path: Path) -> None:
    db = "  db: {image: postgres, volumes: ['./init.sql:/docker-entrypoint-initdb.d/init.sql']}\n"
    assert "./init.sql fills the database" in composed(tmp_path, f"  web: {{build: ., ports: ['80']}}\n{db}").decisions
