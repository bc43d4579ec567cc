"""Images of tools that migrate, with files in them."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from delivery.docker.images.builder import build_image
from delivery.docker.images.registry import ensure_registry
from delivery.home import Home
from tests.support.builds import requested
from tests.support.images import image_of, on_engine
from tests.support.platforms import free_port

DOCKERFILES = {
    "alembic": (
        "FROM python:3.11-slim\n"
        "RUN pip install --no-cache-dir alembic==1.20.1 sqlalchemy==2.0.44 'psycopg[binary]==3.2.13'\nWORKDIR /srv\n"
    ),
    "liquibase": (
        "FROM node:22-slim AS jars\nRUN npm pack liquibase@4.28.1 && tar xzf liquibase-4.28.1.tgz\n"
        "FROM eclipse-temurin:17-jre\nCOPY --from=jars /package/dist/liquibase /opt/liquibase\n"
        'WORKDIR /liquibase\nENTRYPOINT ["bash", "/opt/liquibase/liquibase"]\n'
    ),
}


def tool_images(home: Home, folder: Path) -> Callable[[str, dict[str, str]], AbstractContextManager[str]]:
    """Return a function that yields the name of an image of a tool, with files in it: path → content."""
    built: dict[str, str] = {"flyway": "flyway/flyway:9.22.3"}

    def base(tool: str) -> str:
        if tool not in built:
            source = folder / tool
            source.mkdir()
            (source / "Dockerfile").write_text(DOCKERFILES[tool])
            address = ensure_registry(home, preferred_port=free_port()).address
            repository = f"{address}/tools-{secrets.token_hex(4)}/web"
            built[tool] = on_engine(build_image(requested(source), repository=repository, home=home).ref)
        return built[tool]

    @contextmanager
    def make(tool: str, files: dict[str, str]) -> Iterator[str]:
        with image_of(base(tool), files) as name:
            yield name

    return make
