"""Compose files of strangers are read as their authors meant them."""

from pathlib import Path
from typing import Any

import pytest

from tests.delivery.discovery.repository import BUILT, composed, guess


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
    assert "mounts ., ./x.ini from the machine" in found.left_out
    assert "asks for privileged" in found.left_out


def test_what_users_upload_into_a_named_volume_is_kept_and_what_a_build_brings_is_not(tmp_path: Path) -> None:
    service = (
        "  web: {build: ., ports: ['80'], volumes: ['my_up:/app/uploads', 'static:/app/static', '/app/node_modules']}\n"
    )
    found = composed(tmp_path, service)
    assert found.app.services["web"].volumes == {"my-up": "/app/uploads"}
    assert "keeps /app/static in a volume: what the image brings there is new with each release" in found.left_out


def test_sources_that_are_mounted_are_in_the_image_anyway(tmp_path: Path) -> None:
    found = composed(tmp_path, "  web: {build: ., ports: ['80'], volumes: ['.:/app']}\n")
    assert "mounts . from the machine: the image has its own copy" in found.left_out
