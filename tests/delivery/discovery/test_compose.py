"""Compose files of strangers are read as their authors meant them."""

from pathlib import Path
from typing import Any

import pytest

from tests.delivery.discovery.repository import POSTGRES, WEB, Guess, guess

BUILT = "FROM python:3.12\nWORKDIR /app\nCOPY . .\n"


def composed(folder: Path, services: str, **files: str) -> Guess:
    """Return what is guessed of one Dockerfile and a Compose file with `services`, indented by two."""
    return guess(folder, {"Dockerfile": BUILT, "compose.yaml": f"services:\n{services}", **files})


def test_a_service_keeps_its_name_and_everything_that_is_said_of_it(tmp_path: Path) -> None:
    service = """
  shop_api:
    build: .
    command: ["gunicorn", "shop:app"]
    ports: ["8000:8000"]
    environment: {LEVEL: info, DEBUG_SQL: off, RATIO: 1.10, COUNT: 010, EMPTY: }
    depends_on: {cache: {condition: service_started}}
    healthcheck: {test: [CMD-SHELL, "curl -f http://localhost:8000/ok || exit 1"], start_period: 2m}
    stop_grace_period: 1m5s
    deploy: {replicas: 3}
  cache: {image: "redis:7"}
"""
    found = composed(tmp_path, service)
    shop = found.app.services["shop-api"]
    assert (shop.command, shop.port, shop.health, shop.needs) == (["gunicorn", "shop:app"], 8000, "/ok", ("cache",))
    assert (shop.stop_seconds, shop.instances, shop.start_seconds) == (65, 3, 180)
    assert shop.env == {"LEVEL": "info", "DEBUG_SQL": "off", "RATIO": "1.10", "COUNT": "010"}
    assert "EMPTY" in found.decisions
    assert list(found.app.images) == ["shop-api"]


@pytest.mark.parametrize(
    ("build", "image"),
    [
        (".", {}),
        ("./", {}),
        ("{context: ., dockerfile: docker/Dockerfile}", {"dockerfile": "docker/Dockerfile"}),
        ("{context: docker, dockerfile: ../Dockerfile}", {"context": "docker", "dockerfile": "../Dockerfile"}),
        ("{context: ., target: run}", {"target": "run"}),
        ("{context: ., target: dev}", {}),
        ("{context: ., args: {VERSION: 3, EDITION: pro}}", {"build_args": {"VERSION": "3", "EDITION": "pro"}}),
        ("{context: ., args: [VERSION=3, 'EDITION=${E:-x}']}", {"build_args": {"VERSION": "3", "EDITION": "x"}}),
        ("{context: ., args: {NPM_TOKEN: abc, NOTHING: '${NOTHING}'}}", {}),
        ("{context: docker}", {"context": "docker"}),
    ],
)
def test_an_image_is_built_as_the_compose_file_builds_it(tmp_path: Path, build: str, image: dict[str, Any]) -> None:
    text = "FROM python AS dev\nFROM python AS run\nEXPOSE 80\n"
    found = composed(tmp_path, f"  web:\n    build: {build}\n", **{"Dockerfile": text, "docker/Dockerfile": text})
    assert found.draft.content["images"] == {"web": image}


def test_a_compose_file_in_a_folder_builds_what_lies_above_it(tmp_path: Path) -> None:
    compose = "services: {web: {build: {context: .., dockerfile: docker/Dockerfile}, ports: ['80:80']}}"
    found = guess(tmp_path, {"docker/Dockerfile": BUILT, "docker/compose.yaml": compose})
    assert found.draft.content["images"] == {"web": {"dockerfile": "docker/Dockerfile"}}


def test_one_image_runs_as_two_services(tmp_path: Path) -> None:
    services = """
  web: {build: ., ports: ["80:8000"]}
  worker: {build: {context: .}, command: celery -A shop worker}
"""
    found = composed(tmp_path, services)
    assert list(found.app.images) == ["web"]
    worker = found.app.services["worker"]
    assert (worker.image, worker.command, worker.port) == ("web", ["celery", "-A", "shop", "worker"], None)


def test_a_service_that_names_the_image_another_builds_runs_it(tmp_path: Path) -> None:
    found = composed(tmp_path, "  jobs: {image: shop, command: work}\n  web: {build: ., image: shop, ports: ['80']}\n")
    assert {name: service.image for name, service in found.app.services.items()} == {"web": None, "jobs": "web"}


def test_the_same_dockerfile_with_other_arguments_is_another_image(tmp_path: Path) -> None:
    services = "  a: {build: {context: ., args: {X: 1}}, ports: ['1']}\n  b: {build: {context: ., args: {X: 2}}}\n"
    assert list(composed(tmp_path, services).app.images) == ["a", "b"]


def test_a_published_image_of_the_repository_itself_is_built_here(tmp_path: Path) -> None:
    services = "  server: {image: 'ghcr.io/acme/shop:${TAG:-latest}', ports: ['9000:80']}\n  db: {image: 'mysql:8'}\n"
    found = composed(tmp_path, services)
    assert (list(found.app.services), list(found.app.images), list(found.app.backing)) == (
        ["server"],
        ["server"],
        ["db"],
    )
    assert found.app.services["server"].port == 80


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("python app.py --name 'two words'", ["python", "app.py", "--name", "two words"]),
        ("[python, app.py]", ["python", "app.py"]),
        ('sh -c "a && b $$HOME"', ["sh", "-c", "a && b $HOME"]),
        ('>\n      sh -c "one &&\n      two"\n', ["sh", "-c", "one && two"]),
        ("serve ${MODE:-fast}", ["serve", "fast"]),
        ("", None),
    ],
)
def test_a_command_is_split_as_compose_does(tmp_path: Path, command: str, words: list[str] | None) -> None:
    found = composed(tmp_path, f"  web:\n    build: .\n    ports: ['80']\n    command: {command}\n")
    assert found.app.services["web"].command == words


def test_an_entry_point_comes_before_the_command(tmp_path: Path) -> None:
    found = composed(tmp_path, "  web: {build: ., ports: ['80'], entrypoint: /start.sh, command: [web]}\n")
    assert found.app.services["web"].command == ["/start.sh", "web"]


def test_a_working_folder_is_kept(tmp_path: Path) -> None:
    found = composed(tmp_path, "  web: {build: ., ports: ['80'], working_dir: /app/x, command: npm start}\n")
    assert found.app.services["web"].command == ["sh", "-c", "cd /app/x && exec npm start"]


@pytest.mark.parametrize(
    "command", ["npm run dev", "uvicorn app:app --reload", "nodemon index.js", "python manage.py runserver 0:80"]
)
def test_a_command_for_development_gives_way_to_the_images_own(tmp_path: Path, command: str) -> None:
    dockerfile = f"{BUILT}CMD serve\n"
    found = composed(tmp_path, f"  web: {{build: ., ports: ['80'], command: {command}}}\n", Dockerfile=dockerfile)
    assert found.app.services["web"].command is None
    assert "is for development" in found.guesses


def test_a_dockerfile_for_development_gives_way_to_the_one_beside_it(tmp_path: Path) -> None:
    found = composed(
        tmp_path,
        "  web: {build: {context: ., dockerfile: Dockerfile.dev}, ports: ['80']}\n",
        **{"Dockerfile.dev": BUILT},
    )
    assert found.app.images["web"].dockerfile == "Dockerfile"


@pytest.mark.parametrize(
    ("ports", "port"),
    [
        ('["80"]', 80),
        ('["8080:80/tcp"]', 80),
        ('["127.0.0.1:8080:80"]', 80),
        ('["${PORT:-8080}:${INNER:-81}"]', 81),
        ('["${PORT}:82"]', 82),
        ("[{target: 83, published: 8080}]", 83),
        ('["4000-4002:84-86"]', 84),
        ('["53:53/udp", "8080:85"]', 85),
        ('["[::1]:8080:86"]', 86),
        ("[9229:9229, 3000:3000]", 3000),
        ("[22:22]", 22),
    ],
)
def test_a_port_is_the_containers_own(tmp_path: Path, ports: str, port: int) -> None:
    assert composed(tmp_path, f"  web: {{build: ., ports: {ports}}}\n").app.services["web"].port == port


def test_what_a_release_cannot_keep_or_have_is_said(tmp_path: Path) -> None:
    service = (
        "  web: {build: ., ports: ['80'], volumes: ['.:/app', 'up:/uploads', './x.ini:/etc/x.ini'], privileged: true}\n"
    )
    found = composed(tmp_path, service, **{"x.ini": ""})
    assert "keeps /uploads in a volume" in found.left_out
    assert "mounts ., ./x.ini from the machine" in found.left_out
    assert "asks for privileged" in found.left_out


def test_sources_that_are_mounted_are_in_the_image_anyway(tmp_path: Path) -> None:
    found = composed(tmp_path, "  web: {build: ., ports: ['80'], volumes: ['.:/app']}\n")
    assert "mounts . from the machine: the image has its own copy" in found.left_out


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


def test_paths_go_where_the_proxy_sent_them(tmp_path: Path) -> None:
    conf = "location = /x { return 200; } location /api { proxy_pass http://api:80; }"
    conf += "location / { proxy_pass http://web:80; }"
    services = """
  api: {build: {context: ., args: {A: 1}}, expose: [80]}
  web: {build: ., expose: [80]}
  nginx: {image: nginx, ports: ["80:80"], volumes: ["./conf:/etc/nginx/conf.d"]}
"""
    found = composed(tmp_path, services, **{"conf/site.conf": f"server {{ {conf} }}"})
    assert found.app.routes() == {"/api": "api", "/": "web"}


def test_paths_go_where_labels_send_them(tmp_path: Path) -> None:
    services = """
  api:
    build: {context: ., args: {A: 1}}
    labels:
      - traefik.http.routers.api.rule=Host(`a.example`) && PathPrefix(`/v1`)
      - traefik.http.services.api.loadbalancer.server.port=9000
  web:
    build: .
    labels: {traefik.http.routers.web.rule: "Host(`a.example`)", traefik.http.services.w.loadbalancer.server.port: "80"}
"""
    found = composed(tmp_path, services)
    assert (found.app.routes(), found.app.services["api"].port) == ({"/v1": "api", "/": "web"}, 9000)


def test_what_only_services_ask_gets_no_path(tmp_path: Path) -> None:
    services = "  web: {build: ., ports: ['80:80']}\n  inner: {build: {context: ., args: {A: 1}}, expose: [81]}\n"
    found = composed(tmp_path, services)
    assert (found.app.routes(), found.app.services["inner"].port) == ({"/": "web"}, 81)


def test_a_file_for_production_is_laid_over_the_first_one(tmp_path: Path) -> None:
    base = """
services:
  web: {build: ., command: npm run dev, ports: ["3000:3000"], environment: {A: "1", B: "1"}, volumes: [".:/app"]}
"""
    production = "services: {web: {command: !reset null, volumes: !override [], environment: [B=2], restart: always}}"
    files = {"Dockerfile": BUILT, "docker-compose.yml": base, "docker-compose.prod.yml": production}
    found = guess(tmp_path, files | {"docker-compose.override.yml": "services: {web: {environment: {A: '9'}}}"})
    web = found.app.services["web"]
    assert (web.command, web.env, web.port) == (None, {"A": "1", "B": "2"}, 3000)
    assert "docker-compose.override.yml is not read" in found.left_out
    assert "from the machine" not in found.left_out


def test_a_file_for_production_that_says_everything_stands_alone(tmp_path: Path) -> None:
    base = "services: {dev: {build: ., ports: ['1']}, mail: {image: mailhog/mailhog}}"
    found = guess(
        tmp_path,
        {
            "Dockerfile": BUILT,
            "compose.yaml": base,
            "compose.production.yaml": "services: {web: {build: ., ports: ['2']}}",
        },
    )
    assert list(found.app.services) == ["web"]


def test_what_is_extended_and_included_is_read(tmp_path: Path) -> None:
    common = "services: {base: {build: ., environment: {A: '1'}, ports: ['80']}}"
    compose = """
include: [more/compose.yaml]
x-env: &env {B: "2"}
services:
  web:
    extends: {file: common/base.yaml, service: base}
    environment: {<<: *env, C: "3"}
  worker: {extends: web, command: work}
"""
    more = "services: {redis: {image: redis}}"
    files = {"common/Dockerfile": BUILT, "common/base.yaml": common, "compose.yaml": compose, "more/compose.yaml": more}
    found = guess(tmp_path, files)
    assert found.app.services["web"].env == {"A": "1", "B": "2", "C": "3"}
    assert (found.app.images["web"].context, found.app.services["worker"].image) == ("common", "web")
    assert list(found.app.backing) == ["redis"]


@pytest.mark.parametrize(
    ("build", "word"),
    [
        ("https://example.com/x.git", "does not lie in the repository"),
        ("{context: ., dockerfile_inline: FROM x}", "does not lie in the repository"),
        ("../elsewhere", "is no folder of the repository"),
        ("missing", "is no folder of the repository"),
        ("{context: ., dockerfile: Missing}", "there is no Missing"),
    ],
)
def test_what_cannot_be_built_here_is_left_out_with_a_word(tmp_path: Path, build: str, word: str) -> None:
    found = composed(tmp_path / "shop", f"  web: {{build: ., ports: ['80']}}\n  other: {{build: {build}}}\n")
    assert list(found.app.services) == ["web"]
    assert word in found.left_out


def test_a_dockerfile_that_the_compose_file_does_not_run_is_left_out(tmp_path: Path) -> None:
    found = composed(tmp_path, "  web: {build: ., ports: ['80']}\n", **{"tools/Dockerfile": WEB})
    assert list(found.app.images) == ["web"]
    assert "tools/Dockerfile is not built: nothing in compose.yaml runs it" in found.left_out


def test_a_compose_file_with_the_database_alone_leaves_the_dockerfile_its_say(tmp_path: Path) -> None:
    found = guess(tmp_path, {"Dockerfile": WEB, "compose.yaml": f"services:\n{POSTGRES}"})
    assert (list(found.app.services), found.app.services["web"].port, found.app.database is not None) == (
        ["web"],
        8000,
        True,
    )


def test_the_application_is_called_as_its_compose_file_says(tmp_path: Path) -> None:
    compose = "name: Big_Shop\nservices: {web: {build: ., ports: ['80']}}"
    assert guess(tmp_path, {"Dockerfile": BUILT, "compose.yaml": compose}).app.app == "big-shop"


def test_a_worker_whose_image_asks_for_requests_is_pointed_out(tmp_path: Path) -> None:
    dockerfile = f"{BUILT}EXPOSE 80\nHEALTHCHECK CMD curl -f http://localhost:80/up\n"
    services = "  web: {build: ., ports: ['80']}\n  jobs: {build: ., command: work}\n"
    assert (
        "jobs takes no requests, but the HEALTHCHECK" in composed(tmp_path, services, Dockerfile=dockerfile).decisions
    )
