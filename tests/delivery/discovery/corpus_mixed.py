"""Repositories in other languages, and in several at once; written for this."""

from tests.delivery.discovery.repository import package

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
