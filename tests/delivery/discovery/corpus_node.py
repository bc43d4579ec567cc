"""Repositories in JavaScript, like those that strangers have; written for this."""

from tests.delivery.discovery.repository import package

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
