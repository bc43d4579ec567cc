"""Repositories in Python, like those that strangers have; written for this, each to be unlike the others."""

# Python with uv, a FastAPI application, its worker, PostgreSQL with Alembic, a proxy and tools for people.
FASTAPI = {
    "pyproject.toml": """
[project]
name = "orders"
dependencies = ["fastapi[standard]", "sqlalchemy>=2", "asyncpg", "alembic", "arq"]
[dependency-groups]
dev = ["pytest", "httpx", "ruff"]
""",
    "uv.lock": "version = 1\n",
    "alembic.ini": "[alembic]\nscript_location = %(here)s/migrations\n",
    "migrations/env.py": "",
    "migrations/versions/0001_first.py": "",
    "app/main.py": "",
    "tests/conftest.py": "import os\nfrom sqlalchemy import create_engine\n",
    "tests/test_orders.py": "from fastapi.testclient import TestClient\n",
    ".dockerignore": ".venv\n.git\n",
    ".env.example": "SECRET_KEY=changeme\nLOG_LEVEL=info\n",
    ".gitignore": ".env\n",
    "Dockerfile": """
# syntax=docker/dockerfile:1
FROM python:3.12-slim AS base
COPY --from=ghcr.io/astral-sh/uv:0.5 /uv /bin/uv
WORKDIR /app
ENV PATH="/app/.venv/bin:$PATH" UV_COMPILE_BYTECODE=1
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/cache uv sync --frozen --no-dev --no-install-project
COPY . .

FROM base AS test
RUN uv sync --frozen
CMD ["pytest", "-q"]

FROM base
EXPOSE 8000
HEALTHCHECK --interval=10s CMD python -c "import urllib.request as r; r.urlopen('http://localhost:8000/health')"
CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "8000"]
""",
    "compose.yaml": """
name: orders
x-app: &app
  build: .
  environment: &env
    DATABASE_URL: postgresql+asyncpg://orders:orders@db:5432/orders
    REDIS_URL: redis://redis:6379/0
    SECRET_KEY: ${SECRET_KEY:?set it}
    LOG_LEVEL: ${LOG_LEVEL:-info}
  depends_on:
    db: {condition: service_healthy}
    redis: {condition: service_started}
services:
  api:
    <<: *app
    ports: ["${PORT:-8000}:8000"]
  worker:
    <<: *app
    command: arq app.worker.Settings
  db:
    image: postgres:16
    environment: {POSTGRES_USER: orders, POSTGRES_PASSWORD: orders, POSTGRES_DB: orders}
    volumes: [db-data:/var/lib/postgresql/data]
    healthcheck: {test: [CMD-SHELL, pg_isready -U orders], interval: 2s}
  redis: {image: "redis:7-alpine", volumes: ["redis-data:/data"]}
  traefik:
    image: traefik:v3
    ports: ["80:80"]
    volumes: ["/var/run/docker.sock:/var/run/docker.sock:ro"]
  adminer: {image: adminer, ports: ["8081:8080"]}
volumes: {db-data: , redis-data: }
""",
}

# Django as a template makes it: Dockerfiles and Compose file in folders of their own, secrets in files.
DJANGO = {
    "requirements/base.txt": "django\npsycopg[c]\ncelery\nredis\n",
    "requirements/production.txt": "-r base.txt\ngunicorn\n",
    "requirements/local.txt": "-r base.txt\npytest-django\n",
    "manage.py": "import django\n",
    "shop/users/migrations/0001_initial.py": "",
    "shop/cart/migrations/0001_initial.py": "",
    "shop/users/tests/test_models.py": "import pytest\npytestmark = pytest.mark.django_db\n",
    "config/settings.py": "",
    ".envs/.production/.django.example": """
DJANGO_SECRET_KEY=
DJANGO_ALLOWED_HOSTS=.example.com
REDIS_URL=redis://redis:6379/0
""",
    ".envs/.production/.postgres.example": """
POSTGRES_HOST=postgres
POSTGRES_PORT=5432
POSTGRES_DB=shop
POSTGRES_USER=shop
POSTGRES_PASSWORD=x9
""",
    ".gitignore": ".envs/*\n!*.example\n",
    "compose/production/django/Dockerfile": """
FROM python:3.12-slim-bookworm AS build
COPY ./requirements .
RUN pip wheel --wheel-dir /usr/src/app/wheels -r production.txt
FROM python:3.12-slim-bookworm AS run
WORKDIR /app
COPY --from=build /usr/src/app/wheels /wheels/
RUN pip install --no-cache-dir --no-index --find-links=/wheels/ /wheels/*
COPY ./compose/production/django/entrypoint /entrypoint
COPY ./compose/production/django/start /start
COPY . /app
ENTRYPOINT ["/entrypoint"]
""",
    "compose/production/django/entrypoint": '#!/bin/sh\nexec "$@"\n',
    "compose/production/django/start": "#!/bin/sh\nexec gunicorn config.wsgi --bind 0.0.0.0:5000\n",
    "compose/production/traefik/Dockerfile": """
FROM traefik:3
COPY ./compose/production/traefik/traefik.yml /etc/traefik
""",
    "compose/production/traefik/traefik.yml": "",
    "docker-compose.local.yml": "services: {django: {build: .}}\n",
    "docker-compose.production.yml": """
volumes: {production_postgres_data: {}}
services:
  django: &django
    build: {context: ., dockerfile: ./compose/production/django/Dockerfile}
    image: shop_production_django
    depends_on: [postgres, redis]
    env_file: [./.envs/.production/.django, ./.envs/.production/.postgres]
    expose: ["5000"]
    command: /start
  postgres:
    image: postgres:16
    volumes: [production_postgres_data:/var/lib/postgresql/data]
    env_file: [./.envs/.production/.postgres]
  traefik:
    build: {context: ., dockerfile: ./compose/production/traefik/Dockerfile}
    ports: ["80:80", "443:443"]
  redis: {image: docker.io/redis:6}
  celeryworker:
    <<: *django
    command: celery -A config worker
    expose: []
  flower: {image: mher/flower, ports: ["5555:5555"]}
""",
}
