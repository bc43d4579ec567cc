"""Ten repositories like those that strangers have; written for this, each to be unlike the others."""

from tests.delivery.discovery.repository import package

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
RUN --mount=type=cache,target=/root/.cache/uv uv sync --frozen --no-dev --no-install-project
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

# Node with a stage for tests, plain Jest and SQLite, one Dockerfile, no Compose file.
NODE_SQLITE = {
    "package.json": package(
        deps=["express", "better-sqlite3"],
        dev=["jest", "supertest"],
        scripts={"test": "jest", "start": "node src/server.js"},
    ),
    "package-lock.json": "{}",
    "src/server.js": "",
    "test/notes.test.js": "const request = require('supertest')\n",
    "Dockerfile": """
FROM node:22-alpine AS base
WORKDIR /srv
COPY package*.json ./

FROM base AS production-deps
RUN npm ci --omit=dev

FROM base AS test
RUN npm ci
COPY . .
RUN npm run lint --if-present
CMD ["npm", "test"]

FROM base
ENV NODE_ENV=production PORT=3000
COPY --from=production-deps /srv/node_modules ./node_modules
COPY src ./src
EXPOSE $PORT
HEALTHCHECK CMD wget -qO- http://127.0.0.1:${PORT}/healthz || exit 1
CMD ["node", "src/server.js"]
""",
}

# A monorepo: a Go service in a submodule, a Node service with a large file and the runner that Node brings.
MONOREPO = {
    ".gitmodules": '[submodule "services/ledger"]\n\tpath = services/ledger\n\turl = ../ledger.git\n',
    ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
    "services/ledger/go.mod": "module ledger\n",
    "services/ledger/main.go": "",
    "services/ledger/main_test.go": "package main\n",
    "services/ledger/Dockerfile": """
FROM golang:1.23 AS build
WORKDIR /src
COPY go.mod ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -o /ledger .
FROM gcr.io/distroless/static
COPY --from=build /ledger /ledger
EXPOSE 9000
ENTRYPOINT ["/ledger"]
""",
    "services/web/package.json": package(scripts={"test": "node --test", "start": "node server.js"}),
    "services/web/server.js": "",
    "services/web/server.test.js": "import test from 'node:test'\n",
    "services/web/model.bin": "version https://git-lfs.github.com/spec/v1\n",
    "services/web/Dockerfile": """
FROM node:22-slim
WORKDIR /app
COPY . .
EXPOSE 8080
USER node
CMD ["node", "server.js"]
""",
    "compose.yaml": """
services:
  web:
    build: services/web
    ports: ["8080:8080"]
    environment: [LEDGER_URL=http://ledger:9000]
    depends_on: [ledger]
  ledger:
    build: {context: ./services/ledger}
    expose: ["9000"]
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

# Next.js with Prisma, a migration that runs once, and a Compose file that is about production.
PRISMA = {
    "package.json": package(
        deps=["next", "@prisma/client"],
        dev=["prisma", "vitest", "typescript"],
        scripts={"test": "vitest", "build": "next build"},
    ),
    "pnpm-lock.yaml": "",
    "prisma/schema.prisma": 'datasource db {\n  provider = "postgresql"\n  url = env("DATABASE_URL")\n}\n',
    "prisma/migrations/0001_init/migration.sql": "",
    "src/total.test.ts": "import { expect, it } from 'vitest'\n",
    "Dockerfile": """
FROM node:22-alpine AS deps
WORKDIR /app
COPY package.json pnpm-lock.yaml ./
RUN corepack enable && pnpm install --frozen-lockfile
FROM node:22-alpine AS builder
WORKDIR /app
COPY --from=deps /app/node_modules ./node_modules
COPY . .
RUN npx prisma generate && npm run build
FROM node:22-alpine AS runner
WORKDIR /app
ENV NODE_ENV=production
COPY --from=builder /app/public ./public
COPY --from=builder /app/.next/standalone ./
EXPOSE 3000
CMD ["node", "server.js"]
""",
    "docker-compose.yml": """
version: "3.8"
services:
  app:
    build: {context: ., target: builder}
    command: pnpm dev
    volumes: [".:/app", /app/node_modules]
  postgres:
    image: postgres:15-alpine
    environment:
      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:-postgres}
""",
    "docker-compose.prod.yml": """
services:
  app:
    build: {target: runner}
    command: !reset null
    volumes: !override []
    ports: ["3000:3000"]
    environment:
      DATABASE_URL: postgres://postgres:${POSTGRES_PASSWORD}@postgres:5432/postgres?schema=public
      NEXTAUTH_SECRET: ${NEXTAUTH_SECRET}
      NEXTAUTH_URL: http://localhost:3000
    deploy: {replicas: 2}
    stop_grace_period: 1m30s
""",
}

# Front and back behind nginx, everything in folders of their own, the Compose file among the deployment's files.
SPLIT = {
    "backend/package.json": package(deps=["koa", "knex", "pg"], dev=["mocha"], scripts={"test": "mocha"}),
    "backend/knexfile.js": "module.exports = {client: 'pg', migrations: {directory: './db/migrations'}}\n",
    "backend/db/migrations/1.js": "",
    "backend/test/app.test.js": "",
    "backend/Dockerfile": """
FROM node:20
WORKDIR /app
COPY package.json .
RUN npm install
COPY . .
EXPOSE 4000
CMD node .
""",
    "frontend/package.json": package(deps=["react"], dev=["vite"]),
    "frontend/Dockerfile": """
FROM node:20 AS build
WORKDIR /app
COPY . .
RUN npm ci && npm run build
FROM nginx:alpine
COPY --from=build /app/dist /usr/share/nginx/html
COPY nginx.conf /etc/nginx/conf.d/default.conf
""",
    "frontend/nginx.conf": "server { listen 80; }\n",
    "deploy/nginx.conf": """
upstream back { server backend:4000; }
server {
  location /api/ { proxy_pass http://back; }
  location /socket.io/ { proxy_pass http://back; }
  location / { proxy_pass http://frontend:80; }
}
""",
    "deploy/docker-compose.yml": """
services:
  backend:
    build: ../backend
    environment:
      - DB_HOST=postgres_db
      - DB_PORT=5432
      - DB_USER=kim
      - DB_PASSWORD=secret
      - DB_NAME=shop
      - JWT_SECRET=abc
      - CACHE=memcached_main:11211
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:4000/health/live"]
    depends_on: [postgres_db, memcached_main]
  frontend: {build: {context: ../frontend}}
  nginx:
    image: nginx:1.27
    ports: ["80:80"]
    volumes: ["./nginx.conf:/etc/nginx/conf.d/default.conf:ro"]
  postgres_db:
    image: postgis/postgis:16-3.4
    environment: [POSTGRES_USER=kim, POSTGRES_PASSWORD=secret, POSTGRES_DB=shop]
  memcached_main: {image: memcached}
""",
}

# Rails from its own generator, a worker of the same image.
RAILS = {
    "Gemfile": 'gem "rails"\ngem "pg"\ngem "rspec-rails", group: :test\n',
    "bin/rails": "",
    "db/migrate/1_create.rb": "",
    "spec/models/a_spec.rb": "",
    "Dockerfile": """
ARG RUBY_VERSION=3.3.1
FROM docker.io/library/ruby:$RUBY_VERSION-slim AS base
WORKDIR /rails
ENV RAILS_ENV="production" BUNDLE_DEPLOYMENT="1" BUNDLE_WITHOUT="development"
FROM base AS build
COPY Gemfile ./
RUN bundle install
COPY . .
FROM base
COPY --from=build /rails /rails
ENTRYPOINT ["/rails/bin/docker-entrypoint"]
EXPOSE 3000
CMD ["./bin/rails", "server"]
""",
    "bin/docker-entrypoint": '#!/bin/bash -e\nexec "${@}"\n',
    "docker-compose.yml": """
services:
  web:
    build: .
    ports: ["3000:3000"]
    env_file: .env
    environment:
      DATABASE_URL: postgres://postgres:password@db/app_production
      RAILS_MASTER_KEY: "${RAILS_MASTER_KEY}"
    depends_on: [db]
  jobs: {build: ., command: "bundle exec sidekiq", depends_on: [db, redis]}
  db: {image: "postgres:15", environment: {POSTGRES_PASSWORD: password}}
  redis: {image: redis}
""",
}

# A Java service with a database of another engine; the Compose file pulls what the repository builds.
JAVA = {
    "pom.xml": "<artifactId>spring-boot-starter-web</artifactId><artifactId>mysql-connector-j</artifactId>",
    "src/test/java/app/AppTest.java": "",
    "Dockerfile": """
FROM maven:3.9-eclipse-temurin-21 AS build
WORKDIR /build
COPY pom.xml .
COPY src src
RUN mvn -B package -DskipTests
FROM eclipse-temurin:21-jre
COPY --from=build /build/target/*.jar /app.jar
ENTRYPOINT ["java", "-jar", "/app.jar"]
""",
    "docker-compose.yml": """
services:
  server:
    image: ghcr.io/example/inventory:${TAG:-latest}
    ports: ["8080:8080"]
    environment: {SPRING_DATASOURCE_URL: "jdbc:mysql://mysql:3306/inventory", SPRING_DATASOURCE_PASSWORD: root}
    depends_on: {mysql: {condition: service_healthy}}
  mysql:
    image: mysql:8
    environment: {MYSQL_ROOT_PASSWORD: root, MYSQL_DATABASE: inventory}
    volumes: ["./data:/var/lib/mysql"]
  phpmyadmin: {image: phpmyadmin, ports: ["8090:80"]}
""",
}

# Packages of one workspace, whose Dockerfiles mean the root.
WORKSPACE = {
    "package.json": package(workspaces=["apps/*", "packages/*"], dev=["turbo"]),
    "package-lock.json": "{}",
    "apps/api/package.json": package(
        deps=["fastify", "pg", "node-pg-migrate"],
        dev=["vitest"],
        scripts={"test": "vitest run", "migrate": "node-pg-migrate"},
    ),
    "apps/api/migrations/1.sql": "",
    "apps/api/src/a.test.ts": "import pg from 'pg'\n",
    "apps/api/Dockerfile": """
FROM node:22 AS build
WORKDIR /repo
COPY package.json package-lock.json ./
COPY apps/api apps/api
COPY packages packages
RUN npm ci
FROM node:22-slim
WORKDIR /repo
COPY --from=build /repo .
EXPOSE 3333
WORKDIR /repo/apps/api
CMD ["node", "dist/main.js"]
""",
    "apps/web/package.json": package(deps=["next"]),
    "apps/web/Dockerfile": """
FROM node:22
COPY package.json package-lock.json ./
COPY apps/web ./apps/web
RUN npm ci
EXPOSE 3000
CMD npm start
""",
    "packages/ui/package.json": package(),
    ".devcontainer/Dockerfile": "FROM node:22\n",
}

# One binary, its Dockerfile in a folder of its own, migrations by a program in the image, tests in a Compose file.
GO = {
    "go.mod": "module links\nrequire github.com/jackc/pgx/v5 v5.0.0\n",
    "main_test.go": "package main\n",
    "db/migrations/1_init.up.sql": "",
    "db/migrations/1_init.down.sql": "",
    "docker/Dockerfile": """
FROM golang:1.23-alpine AS builder
WORKDIR /src
COPY go.mod ./
RUN go install github.com/golang-migrate/migrate/v4/cmd/migrate@v4.18.1
COPY . .
RUN go build -o /out/links .
FROM alpine:3.20
COPY --from=builder /go/bin/migrate /usr/local/bin/migrate
COPY --from=builder /out/links /usr/local/bin/links
COPY db/migrations /srv/db/migrations
WORKDIR /srv
CMD ["links", "serve", "--port", "8088"]
""",
    "docker/docker-compose.yml": """
services:
  links:
    build: {context: .., dockerfile: docker/Dockerfile}
    ports: ["127.0.0.1:8088:8088"]
    environment: {PGHOST: db, PGUSER: links, PGPASSWORD: links, PGDATABASE: links}
  db: {image: "postgres:17", environment: {POSTGRES_USER: links, POSTGRES_PASSWORD: links}}
""",
}

CORPUS = {
    "fastapi": FASTAPI,
    "node-sqlite": NODE_SQLITE,
    "monorepo": MONOREPO,
    "django": DJANGO,
    "prisma": PRISMA,
    "split": SPLIT,
    "rails": RAILS,
    "java": JAVA,
    "workspace": WORKSPACE,
    "go": GO,
}
