"""Dockerfiles of strangers become images and services: which of them, in which context, up to which stage."""

from pathlib import Path

import pytest

from delivery.discovery import discover
from delivery.errors import Misconfigured
from tests.delivery.discovery.repository import WEB, guess, package

NODE = "FROM node:22\nWORKDIR /app\nCOPY . .\n"


def test_one_dockerfile_is_enough(tmp_path: Path) -> None:
    found = guess(tmp_path / "My Shop", {"Dockerfile": WEB})
    assert (found.app.app, list(found.app.images), found.app.services["web"].port) == ("my-shop", ["web"], 8000)
    assert (found.app.routes(), list(found.app.environments)) == ({"/": "web"}, ["production"])
    assert "web listens on 8000, which Dockerfile exposes" in found.guesses


def test_a_folder_without_a_dockerfile_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"no Dockerfile was found.*\n  next: Headway releases images: write"):
        discover(tmp_path)


@pytest.mark.parametrize(
    ("lines", "port"),
    [
        ("EXPOSE 3000", 3000),
        ("ARG PORT=4000\nENV PORT=$PORT\nEXPOSE ${PORT}", 4000),
        ("ENV LISTEN 4100\nEXPOSE $LISTEN", 4100),
        ("EXPOSE 53/udp\nEXPOSE 8053/tcp", 8053),
        ("EXPOSE 80 443", 80),
        ("EXPOSE 443\nEXPOSE 8081", 8081),
        ("EXPOSE 9229\nEXPOSE 3000", 3000),
        ("EXPOSE 8000-8010", 8000),
        ("ENV PORT=5001", 5001),
        ('CMD ["gunicorn", "app:app", "--bind", "0.0.0.0:7000"]', 7000),
        ('CMD ["uvicorn", "app:app", "--port=7001"]', 7001),
        ("CMD flask run --host 0.0.0.0", 5000),
        ("CMD npx next start", 3000),
        ("expose 3001 # the website\n", 3001),
        ("EXPOSE \\\n  3002", 3002),
    ],
)
def test_the_port_is_the_one_that_takes_requests(tmp_path: Path, lines: str, port: int) -> None:
    found = guess(tmp_path, {"Dockerfile": f"FROM python:3.12\n{lines}\n"})
    assert found.app.services["web"].port == port


def test_a_server_that_exposes_nothing_listens_where_its_image_does(tmp_path: Path) -> None:
    found = guess(tmp_path, {"Dockerfile": "FROM nginx:alpine\nCOPY . /usr/share/nginx/html\n"})
    assert found.app.services["web"].port == 80


def test_the_port_of_a_stage_that_is_not_released_does_not_count(tmp_path: Path) -> None:
    text = "FROM node AS dev\nEXPOSE 9999\nFROM node AS base\nEXPOSE 3000\nFROM base\nCMD node .\n"
    assert guess(tmp_path, {"Dockerfile": text}).app.services["web"].port == 3000


@pytest.mark.parametrize("lines", ["", "EXPOSE $PORT 99999", "EXPOSE", 'CMD ["', "RUN <<EOF\nEXPOSE 1\nEOF"])
def test_an_application_that_names_no_port_is_told_one_and_its_owner_asked(tmp_path: Path, lines: str) -> None:
    found = guess(tmp_path, {"Dockerfile": f"FROM alpine\n{lines}\n"})
    assert (found.app.services["web"].port, found.app.services["web"].env) == (8080, {"PORT": "8080"})
    assert "correct the port" in found.decisions


@pytest.mark.parametrize(
    ("check", "health"),
    [
        ("HEALTHCHECK --interval=5s \\\n  CMD wget -q http://127.0.0.1:8000/healthz || exit 1", "/healthz"),
        ('HEALTHCHECK CMD ["curl", "-f", "http://localhost:8000/api/health?deep=1"]', "/api/health?deep=1"),
        ("ENV PORT=8000\nHEALTHCHECK CMD curl --fail http://localhost:${PORT}/live", "/live"),
        ("HEALTHCHECK CMD curl -sf localhost:8000/ready || exit 1", "/ready"),
        ("HEALTHCHECK CMD node -e \"fetch('http://localhost:8000/up').then(r => process.exit(r.ok ? 0 : 1))\"", "/up"),
        ('HEALTHCHECK CMD ["python", "check.py"]', "/status"),
        ("HEALTHCHECK CMD curl http://localhost:9999/other", None),
        ("HEALTHCHECK CMD curl -f http://localhost:8000/", None),
        ("HEALTHCHECK CMD pg_isready", None),
        ("HEALTHCHECK NONE", None),
        ("HEALTHCHECK CMD curl https://example.com/x", None),
        ("HEALTHCHECK CMD curl http://localhost:8000/a\nHEALTHCHECK NONE", None),
    ],
)
def test_the_health_check_tells_when_a_service_is_ready(tmp_path: Path, check: str, health: str | None) -> None:
    script = "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:8000/status')\n"
    found = guess(tmp_path, {"Dockerfile": f"{WEB}{check}\n", "check.py": script})
    assert found.app.services["web"].health == health


@pytest.mark.parametrize(
    ("files", "context", "dockerfile"),
    [
        ({"docker/Dockerfile": f"{NODE}COPY package.json .\n", "package.json": "{}"}, ".", "docker/Dockerfile"),
        ({"docker/web/Dockerfile": f"{NODE}RUN npm ci\n", "package.json": "{}"}, ".", "docker/web/Dockerfile"),
        ({".docker/Dockerfile": NODE, "package.json": "{}"}, ".", ".docker/Dockerfile"),
        ({"build/package/Dockerfile": "FROM golang\nCOPY go.mod ./\n", "go.mod": ""}, ".", "build/package/Dockerfile"),
        ({"api/Dockerfile": NODE, "api/package.json": "{}"}, "api", "Dockerfile"),
        ({"api/Dockerfile": "FROM python\nCOPY app.py .\n", "api/app.py": "", "app.py": ""}, "api", "Dockerfile"),
        ({"apps/a/Dockerfile": "FROM node\nCOPY apps/a/x.js .\n", "apps/a/x.js": ""}, ".", "apps/a/Dockerfile"),
        ({"Dockerfile.prod": NODE, "Dockerfile": NODE}, ".", "Dockerfile.prod"),
        ({"Dockerfile.dev": NODE, "Dockerfile": NODE, "Dockerfile.test": NODE}, ".", "Dockerfile"),
        ({"Containerfile": NODE}, ".", "Containerfile"),
        ({"Dockerfile.dev": NODE}, ".", "Dockerfile.dev"),
        ({"Dockerfile": NODE, "Dockerfile.alpine": NODE, "docker/x.dockerignore": ""}, ".", "Dockerfile"),
    ],
)
def test_a_dockerfile_is_built_in_the_folder_it_copies_from(
    tmp_path: Path, files: dict[str, str], context: str, dockerfile: str
) -> None:
    found = guess(tmp_path, files)
    assert [(image.context, image.dockerfile) for image in found.app.images.values()] == [(context, dockerfile)]


def test_variants_for_development_are_left_out_with_a_word(tmp_path: Path) -> None:
    found = guess(tmp_path, {"Dockerfile": WEB, "Dockerfile.dev": WEB})
    assert "Dockerfile.dev is not built: Dockerfile is" in found.left_out


def test_dockerfiles_with_names_of_their_own_are_services(tmp_path: Path) -> None:
    found = guess(tmp_path, {"Dockerfile.api": WEB, "worker.Dockerfile": "FROM python\nCMD work\n"})
    assert {name: image.dockerfile for name, image in found.app.images.items()} == {
        "api": "Dockerfile.api",
        "worker": "worker.Dockerfile",
    }
    assert found.app.services["worker"].port is None


@pytest.mark.parametrize(
    "folder", ["node_modules/x", "tests", ".github", ".devcontainer", "examples/a", "a/b/c/d", "docs", "vendor/y"]
)
def test_dockerfiles_of_packages_tests_and_hidden_folders_are_no_services(tmp_path: Path, folder: str) -> None:
    found = guess(tmp_path, {"Dockerfile": WEB, f"{folder}/Dockerfile": WEB})
    assert list(found.app.images) == ["web"]


def test_a_monorepo_is_searched_three_folders_deep(tmp_path: Path) -> None:
    files = {f"packages/{name}/Dockerfile": WEB for name in ("front", "cart")} | {"libs/go/ledger/Dockerfile": WEB}
    assert set(guess(tmp_path, files).app.images) == {"front", "cart", "ledger"}


@pytest.mark.parametrize(
    ("last", "target"), [("test", "run"), ("dev", "run"), ("development", "run"), ("lint", "run"), ("final", None)]
)
def test_a_last_stage_for_tests_is_not_released(tmp_path: Path, last: str, target: str | None) -> None:
    text = f"FROM node AS deps\nFROM deps AS run\nEXPOSE 3000\nFROM deps AS {last}\nEXPOSE 3000\n"
    found = guess(tmp_path, {"Dockerfile": text})
    assert found.app.images["web"].target == target


def test_front_and_back_share_the_paths(tmp_path: Path) -> None:
    found = guess(tmp_path, {"backend/Dockerfile": WEB, "frontend/Dockerfile": WEB})
    assert found.app.routes() == {"/api": "backend", "/": "frontend"}
    assert found.app.images["backend"].context == "backend"


def test_three_services_get_paths_of_their_names(tmp_path: Path) -> None:
    found = guess(tmp_path, {f"{name}/Dockerfile": WEB for name in ("web", "cart", "search")})
    assert found.app.routes() == {"/": "web", "/cart": "cart", "/search": "search"}


def test_dockerfiles_that_want_the_same_name_get_different_ones(tmp_path: Path) -> None:
    found = guess(tmp_path, {"a/Dockerfile": WEB, "A/Dockerfile": WEB, "A/a.Dockerfile": WEB})
    assert len(found.app.images) == 3


def test_two_dockerfiles_of_one_folder_and_odd_files_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    files = {
        "Dockerfile": "\ufeffFROM scratch\n",
        "b/Dockerfile": "",
        "c/Dockerfile": "\x00\x01",
        "d/Dockerfile": "COPY",
    }
    assert len(guess(tmp_path, files).app.images) == 4


def test_settings_of_an_example_file_are_said_and_its_port_is_taken(tmp_path: Path) -> None:
    files = {"Dockerfile": NODE, ".env.example": "PORT=3456\nAPI_KEY=xyz\nMODE=fast\nexport QUOTED='a b'\n# NO=1\n"}
    found = guess(tmp_path, files | {"package.json": package()})
    assert (found.app.services["web"].port, found.app.services["web"].env) == (3456, {"PORT": "3456"})
    assert ".env.example also names MODE=fast, QUOTED=a b" in found.decisions
    assert "API_KEY" in found.decisions
    assert "xyz" not in found.draft.text


@pytest.mark.parametrize(
    ("files", "is_written"),
    [
        ({"requirements.txt": "fastapi\npsycopg[binary]\n"}, True),
        ({"package.json": package(deps=["pg"])}, True),
        ({"go.mod": "require github.com/jackc/pgx/v5 v5.1.0\n"}, True),
        ({"prisma/schema.prisma": 'datasource db {\n provider = "postgresql"\n}'}, True),
        ({"prisma/schema.prisma": 'datasource db {\n provider = "sqlite"\n}'}, False),
        ({"package.json": package(deps=["better-sqlite3"])}, False),
        ({"package.json": package(deps=["mysql2"])}, False),
        ({"package.json": package(deps=["mysql2", "pg"])}, False),
        ({"requirements.txt": "flask\n# psycopg\n"}, False),
        ({"package.json": package(deps=["pg-tiny"])}, False),
    ],
)
def test_a_database_is_written_where_only_postgresql_is_spoken(
    tmp_path: Path, files: dict[str, str], is_written: bool
) -> None:
    assert (guess(tmp_path, {"Dockerfile": WEB, **files}).app.database is not None) == is_written


def test_the_parts_of_an_address_in_an_example_are_the_databases(tmp_path: Path) -> None:
    example = "DB_HOST=localhost\nDB_PORT=5432\nDB_USERNAME=me\nDB_PASSWORD=x\nDB_DATABASE=shop\n"
    found = guess(tmp_path, {"Dockerfile": WEB, "requirements.txt": "psycopg2\n", ".env.example": example})
    assert found.app.services["web"].env == {
        "DB_HOST": "${database.host}",
        "DB_PORT": "${database.port}",
        "DB_USERNAME": "${database.user}",
        "DB_PASSWORD": "${database.password}",
        "DB_DATABASE": "${database.name}",
    }
