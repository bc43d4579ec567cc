"""Variables of a Compose file: the database's address becomes placeholders, secrets are named and not copied."""

import re
from pathlib import Path

import pytest

from delivery.discovery.interpolation import fill_in, read_env, without_unknown
from tests.delivery.discovery.repository import Guess, guess

DATABASE = """
  db:
    image: postgres:16
    container_name: shop_db
    environment: {POSTGRES_USER: kim, POSTGRES_PASSWORD: "${PW:-pw}", POSTGRES_DB: shop}
  my_redis: {image: "redis:7"}
  mailhog: {image: mailhog/mailhog}
"""


def environment(folder: Path, lines: str, more: str = "", **files: str) -> Guess:
    """Return what is guessed of a service with the given variables, beside a database, a cache and a mail trap."""
    indented = "".join(f"      {line}\n" for line in lines.splitlines())
    web = f"services:\n  web:\n    build: .\n    ports: ['80']\n{more}    environment:\n{indented}{DATABASE}"
    return guess(folder, {"Dockerfile": "FROM python\n", "compose.yaml": web, **files})


ADDRESS = "${database.user}:${database.password}@${database.host}:${database.port}/${database.name}"


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("U: postgres://kim:pw@db:5432/shop", "${database.url}"),
        ("U: postgresql://kim:${PW:-pw}@db/shop", "${database.url}"),
        ("U: postgresql://kim:${UNKNOWN}@db:5432/${NAME}", "${database.url}"),
        ("U: postgres://kim:pw@shop_db:5432/shop?schema=public&sslmode=disable", "${database.url}?schema=public"),
        ("U: postgresql+asyncpg://kim:pw@db:5432/shop", f"postgresql+asyncpg://{ADDRESS}"),
        ("U: postgis://kim:pw@db/shop", f"postgis://{ADDRESS}"),
        (
            "U: jdbc:postgresql://db:5432/shop?user=kim&password=pw&x=1",
            "jdbc:postgresql://${database.host}:${database.port}/${database.name}?x=1",
        ),
        (
            "U: Host=db;Port=5432;Database=shop;Username=kim;Password=pw;Pooling=true",
            "Host=${database.host};Port=${database.port};Database=${database.name};"
            "Username=${database.user};Password=${database.password};Pooling=true",
        ),
        (
            "U: host=db user=kim password=pw dbname=shop sslmode=disable",
            "host=${database.host} user=${database.user} password=${database.password} "
            "dbname=${database.name} sslmode=disable",
        ),
        ("U: postgres://kim:pw@elsewhere.example/shop", None),
    ],
)
def test_an_address_of_the_database_is_filled_in(tmp_path: Path, line: str, written: str | None) -> None:
    found = environment(tmp_path, line)
    assert found.app.services["web"].env.get("U") == written
    assert ("U" in found.decisions) == (written is None)


@pytest.mark.parametrize(
    "names",
    [
        ("DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME"),
        ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"),
        ("POSTGRES_SERVER", "POSTGRES_PORT", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"),
        ("SHOP_SQL_HOSTNAME", "SHOP_SQL_PORT", "SHOP_SQL_USERNAME", "SHOP_SQL_PASS", "SHOP_SQL_DATABASE"),
        ("dbHOST", "dbPORT", "dbUSER", "dbPASS", "dbNAME"),
    ],
)
def test_the_parts_of_an_address_are_filled_in(tmp_path: Path, names: tuple[str, ...]) -> None:
    host, port, user, password, name = names
    found = environment(tmp_path, f"{host}: db\n{port}: 5432\n{user}: kim\n{password}: pw\n{name}: shop\n")
    facts = ("host", "port", "user", "password", "name")
    written = {key: f"${{database.{fact}}}" for key, fact in zip(names, facts, strict=True)}
    assert found.app.services["web"].env == written
    assert "were not copied" not in found.decisions


def test_the_parts_of_another_address_stay_as_they_are(tmp_path: Path) -> None:
    found = environment(tmp_path, "DB_HOST: db\nREDIS_HOST: my_redis\nREDIS_PORT: 6379\nPORT: 80\nAPP_NAME: shop\n")
    assert found.app.services["web"].env == {
        "DB_HOST": "${database.host}",
        "REDIS_HOST": "my-redis",
        "REDIS_PORT": "6379",
        "PORT": "80",
        "APP_NAME": "shop",
    }


def test_hosts_have_the_names_they_have_under_headway(tmp_path: Path) -> None:
    found = environment(
        tmp_path, "A: redis://my_redis:6379/0\nB: my_redis:6379,other:1\nC: my_redis_prefix\nD: x my_redis\n"
    )
    assert found.app.services["web"].env == {
        "A": "redis://my-redis:6379/0",
        "B": "my-redis:6379,other:1",
        "C": "my_redis_prefix",
        "D": "x my_redis",
    }


@pytest.mark.parametrize(
    "line",
    [
        *("SECRET_KEY: abc123", "JWT_SECRET: ${JWT:-abc123}", "STRIPE_API_KEY: abc123", "ADMIN_PASSWORD: abc123"),
        *(
            "GITHUB_TOKEN: abc123",
            "SENTRY_DSN: https://abc123@sentry.example/1",
            "SMTP_PASS: abc123",
            "APP_KEY: abc123",
        ),
        *("AMQP: amqp://kim:abc123@queue.example:5672", "PRIVATE_PEM: abc123", "SESSION_SECRET: ${S:?must be set}"),
        *("GOOGLE_SERVICE_ACCOUNT_TOKEN: abc123", "MAXMIND_LICENSE_KEY: abc123", "SLACK_WEBHOOK_URL: http://x/abc123"),
    ],
)
def test_a_secret_is_named_and_not_copied(tmp_path: Path, line: str) -> None:
    key = line.partition(":")[0]
    found = environment(tmp_path, line)
    assert found.app.services["web"].env == {}
    assert "abc123" not in found.draft.text
    assert re.search(rf"secrets: \{{{key}: [a-z0-9-]+\}}", found.decisions)


@pytest.mark.parametrize(
    "line",
    [
        *(
            "TOKEN_EXPIRE_MINUTES: 30",
            "VAPID_PUBLIC_KEY: abc",
            "PASSWORD_MIN_LENGTH: 12",
            "KEY_PREFIX: shop",
            "S3_BUCKET: b",
        ),
        *(
            "REQUIRE_PASSWORD: true",
            "SECRET_NAME: shop",
            "KEYCLOAK_URL: http://k",
            "TOKEN_URL: http://x/t",
            "MONKEY: see",
        ),
        *("NEXT_PUBLIC_STRIPE_KEY: pk", "JWT_ALGORITHM: HS256", "PASSWORD_FILE: /run/x", "COMPASS: north"),
    ],
)
def test_what_only_sounds_like_a_secret_is_copied(tmp_path: Path, line: str) -> None:
    assert list(environment(tmp_path, line).app.services["web"].env) == [line.partition(":")[0]]


def test_all_secrets_are_named_in_one_line_to_copy(tmp_path: Path) -> None:
    found = environment(tmp_path / "shop", "SECRET_KEY: a1b2c3\nMAIL_TOKEN: d4e5f6\n")
    assert "secrets: {SECRET_KEY: shop-secret-key, MAIL_TOKEN: shop-mail-token}" in found.decisions


def test_a_secret_that_a_backing_service_needs_as_well_stands_in_both(tmp_path: Path) -> None:
    compose = """
services:
  web: {build: ., ports: ["80"], environment: {MYSQL_PASSWORD: s3cret, QUEUE: "amqp://kim:q@mq"}}
  sql: {image: "mysql:8", environment: {MYSQL_PASSWORD: s3cret, MYSQL_ROOT_PASSWORD: "${ROOT}"}}
  mq: {image: rabbitmq, environment: {RABBITMQ_DEFAULT_PASS: q}}
"""
    found = guess(tmp_path, {"Dockerfile": "FROM python\n", "compose.yaml": compose})
    assert found.app.services["web"].env == {"MYSQL_PASSWORD": "s3cret", "QUEUE": "amqp://kim:q@mq"}
    assert found.app.backing["sql"].env == {"MYSQL_PASSWORD": "s3cret"}
    assert "MYSQL_PASSWORD of sql stands in compose.yaml and here too" in found.decisions
    assert "write backing.sql.env: {MYSQL_ROOT_PASSWORD:" in found.decisions


def test_variables_come_in_either_form(tmp_path: Path) -> None:
    compose = "services: {web: {build: ., ports: ['80'], environment: [A=1, 'B=x=y', C, D=]}}"
    found = guess(tmp_path, {"Dockerfile": "FROM python\n", "compose.yaml": compose})
    assert found.app.services["web"].env == {"A": "1", "B": "x=y", "D": ""}
    assert "does not say the value of C" in found.decisions


def test_a_committed_env_file_gives_values_and_one_that_git_ignores_does_not(tmp_path: Path) -> None:
    files = {".env": "LEVEL=debug\nAGE=1\n", "more.env": "M=1\nLEVEL=other\n", ".env.example": "LEVEL=info\nEMPTY=\n"}
    more = "    env_file: [more.env, {path: gone.env, required: false}]\n"
    kept = environment(tmp_path / "a", "L: ${LEVEL}\nAGE:\n", more, **files)
    assert kept.app.services["web"].env == {"M": "1", "LEVEL": "other", "L": "debug", "AGE": "1"}
    assert "gone.env, which is not in the repository" in kept.decisions
    ignored = environment(tmp_path / "b", "L: ${LEVEL}\nE: '${EMPTY}'\n", **files, **{".gitignore": "# x\n.env\n"})
    assert ignored.app.services["web"].env == {"L": "info"}
    assert "does not say the value of E" in ignored.decisions


def test_settings_for_development_are_left_to_the_image(tmp_path: Path) -> None:
    found = environment(tmp_path, "NODE_ENV: development\nDEBUG: 'true'\nDJANGO_ALLOWED_HOSTS: a.example\n")
    assert found.app.services["web"].env == {"DEBUG": "true", "DJANGO_ALLOWED_HOSTS": "a.example"}
    assert "NODE_ENV=development is for development" in found.guesses
    assert "DEBUG of web is true" in found.decisions
    assert "must let in the host `headway`" in found.decisions


def test_a_variable_that_names_what_is_left_out_is_said(tmp_path: Path) -> None:
    found = environment(tmp_path, "SMTP_HOST: mailhog\nSITE: http://localhost:3000\n")
    assert "SMTP_HOST of web names mailhog, which is left out" in found.decisions
    assert "SITE of web names localhost" in found.decisions


def test_signs_that_mean_something_to_headway_are_not_copied(tmp_path: Path) -> None:
    found = environment(tmp_path, "A: $${name}\nB: a$$b\nC: $${NAME}\n")
    assert found.app.services["web"].env == {"B": "a$b", "C": "${NAME}"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${A}", "1"),
        ("$A-$B", "1-"),
        ("${A:-x}${B:-y}${E:-z}", "1yz"),
        ("${B-y}${E-z}", "y"),
        ("${A:+set}${B:+set}${E+set}", "setset"),
        ("${B:-${C:-${A}}}", "1"),
        ("${A:?say it}${B:?say it}", "1"),
        ("$$A $1 ${", "$A $1 ${"),
        ("${1x}", "${1x}"),
    ],
)
def test_variables_are_filled_in_as_compose_does(text: str, filled: str) -> None:
    assert without_unknown(fill_in(text, {"A": "1", "E": ""})) == filled


def test_an_env_file_is_read_line_by_line() -> None:
    text = "A=1\nexport B='two words' # x\nC=\"a=b\"\n#D=1\nE=x # y\nF: 7\nbroken\n G = spaced \n"
    assert read_env(text) == {"A": "1", "B": "two words", "C": "a=b", "E": "x", "F": "7", "G": "spaced"}
