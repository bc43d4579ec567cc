"""Which Compose files are read, how they are laid over one another, and which paths they give to services."""

from pathlib import Path

import pytest

from tests.delivery.discovery.repository import BUILT, POSTGRES, WEB, composed, guess


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


def test_the_check_of_a_web_server_is_switched_off_for_a_worker_of_its_image(tmp_path: Path) -> None:
    dockerfile = f"{BUILT}EXPOSE 80\nHEALTHCHECK CMD curl -f http://localhost:80/up\n"
    services = "  web: {build: ., ports: ['80']}\n  jobs: {build: ., command: work}\n"
    found = composed(tmp_path, services, Dockerfile=dockerfile)

    assert (found.app.services["jobs"].health, found.app.services["web"].health) == ("none", "/up")
    assert "jobs takes no requests: the HEALTHCHECK in Dockerfile, which asks for /up, is switched off" in found.guesses
