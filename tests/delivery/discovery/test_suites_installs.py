"""Tests run where the packages and programs they need are installed, whatever the language."""

from pathlib import Path

import pytest

from tests.delivery.discovery.repository import guess, suites


@pytest.mark.parametrize(
    ("install", "files", "command"),
    [
        ("RUN pip install -r requirements.txt", {"requirements.txt": "flask\npytest==8\n"}, ["python", "-m", "pytest"]),
        (
            "RUN pip install -r requirements-dev.txt",
            {"requirements-dev.txt": "-r more.txt\n", "more.txt": "pytest-django\n"},
            ["python", "-m", "pytest"],
        ),
        ("RUN pip install flask pytest", {"pytest.ini": ""}, ["python", "-m", "pytest"]),
        (
            "RUN pip install -e '.[test]'",
            {"pyproject.toml": "[project.optional-dependencies]\ntest = ['pytest>=8']\n"},
            ["python", "-m", "pytest"],
        ),
        (
            "RUN uv sync --frozen",
            {"pyproject.toml": "[dependency-groups]\ndev = ['pytest']\n"},
            ["uv", "run", "--no-sync", "python", "-m", "pytest"],
        ),
        (
            "ENV PATH=/app/.venv/bin:$PATH\nRUN uv sync --group checks",
            {"pyproject.toml": "[dependency-groups]\nchecks = ['pytest']\n"},
            ["python", "-m", "pytest"],
        ),
        (
            "RUN poetry install",
            {"pyproject.toml": "[tool.poetry.group.test.dependencies]\npytest = '*'\n"},
            ["poetry", "run", "python", "-m", "pytest"],
        ),
        (
            "RUN poetry config virtualenvs.create false && poetry install",
            {"pyproject.toml": "[tool.poetry.dev-dependencies]\npytest = '*'\n"},
            ["python", "-m", "pytest"],
        ),
        (
            "RUN pipenv install --dev",
            {"Pipfile": "[dev-packages]\npytest = '*'\n"},
            ["pipenv", "run", "python", "-m", "pytest"],
        ),
    ],
)
def test_pytest_runs_where_it_is_installed(
    tmp_path: Path, install: str, files: dict[str, str], command: list[str]
) -> None:
    dockerfile = f"FROM python:3.12\nWORKDIR /app\nCOPY . .\n{install}\nEXPOSE 80\nCMD serve\n"
    found = guess(tmp_path, {"Dockerfile": dockerfile, "tests/test_a.py": "", **files})
    assert suites(found)["unit"] == {"tool": "pytest", "image": "web", "command": command}


@pytest.mark.parametrize(
    ("install", "files"),
    [
        ("RUN uv sync --no-dev", {"pyproject.toml": "[dependency-groups]\ndev = ['pytest']\n"}),
        ("ENV UV_NO_DEV=1\nRUN uv sync", {"pyproject.toml": "[dependency-groups]\ndev = ['pytest']\n"}),
        ("RUN poetry install --only main", {"pyproject.toml": "[tool.poetry.group.dev.dependencies]\npytest = '*'\n"}),
        ("RUN pip install -r requirements.txt", {"requirements.txt": "flask\n", "requirements-dev.txt": "pytest\n"}),
        ("RUN pip install .", {"pyproject.toml": "[project.optional-dependencies]\ntest = ['pytest']\n"}),
        ("RUN pipenv install --system", {"Pipfile": "[dev-packages]\npytest = '*'\n"}),
    ],
)
def test_pytest_that_is_not_installed_is_pointed_out(tmp_path: Path, install: str, files: dict[str, str]) -> None:
    dockerfile = f"FROM python:3.12\nWORKDIR /app\nCOPY . .\n{install}\nEXPOSE 80\nCMD serve\n"
    found = guess(tmp_path, {"Dockerfile": dockerfile, "tests/test_a.py": "", **files})
    assert suites(found) == {}
    assert "no stage of it installs pytest" in found.decisions


def test_packages_that_are_copied_from_another_stage_count(tmp_path: Path) -> None:
    dockerfile = """
FROM python:3.12 AS build
WORKDIR /app
COPY requirements.txt .
RUN python -m venv /opt/venv && /opt/venv/bin/pip install -r requirements.txt
FROM python:3.12-slim
COPY --from=build /opt/venv /opt/venv
ENV PATH="/opt/venv/bin:$PATH"
WORKDIR /srv
COPY . .
EXPOSE 80
CMD serve
"""
    found = guess(tmp_path, {"Dockerfile": dockerfile, "requirements.txt": "pytest\n", "tests/test_a.py": ""})
    assert suites(found)["unit"]["image"] == "web"


@pytest.mark.parametrize(
    ("base", "files", "command", "junit"),
    [
        ("golang:1.23-alpine", {"go.mod": "", "pkg/a_test.go": ""}, ["go", "test", "./..."], None),
        ("rust:1.80", {"Cargo.toml": "", "src/lib.rs": "#[test]\nfn a() {}\n"}, ["cargo", "test"], None),
        (
            "maven:3.9-eclipse-temurin-21",
            {"pom.xml": "", "src/test/java/x/ATest.java": ""},
            ["mvn", "-B", "test"],
            "/app/target/surefire-reports/*.xml",
        ),
        (
            "eclipse-temurin:21-jdk",
            {"build.gradle.kts": "", "gradlew": "", "src/test/kotlin/ATest.kt": ""},
            ["./gradlew", "test", "--no-daemon"],
            "/app/build/test-results/test/*.xml",
        ),
        ("mcr.microsoft.com/dotnet/sdk:8.0", {"x/Shop.Tests.csproj": ""}, ["dotnet", "test"], None),
        ("python:3.12", {"test_a.py": "import unittest\n"}, ["python", "-m", "unittest", "discover", "-v"], None),
    ],
)
def test_a_language_that_brings_its_runner_along_is_tested(
    tmp_path: Path, base: str, files: dict[str, str], command: list[str], junit: str | None
) -> None:
    found = guess(tmp_path, {"Dockerfile": f"FROM {base}\nWORKDIR /app\nCOPY . .\nEXPOSE 80\nCMD x\n", **files})
    assert (found.app.suites["unit"].command, found.app.suites["unit"].junit) == (command, junit)


def test_ruby_and_php_are_tested_where_their_development_packages_are(tmp_path: Path) -> None:
    ruby = {
        "Gemfile": "gem 'rspec'\n",
        "spec/a_spec.rb": "",
        "Dockerfile": "FROM ruby\nCOPY . .\nRUN bundle install\nEXPOSE 1\n",
    }
    assert suites(guess(tmp_path / "a", ruby))["unit"]["command"] == ["bundle", "exec", "rspec"]
    php = {"composer.json": '{"require-dev": {"phpunit/phpunit": "^11"}}', "tests/ATest.php": ""}
    dockerfile = {"Dockerfile": "FROM php:8-apache\nCOPY . .\nRUN composer install --no-dev\nEXPOSE 80\n"}
    assert suites(guess(tmp_path / "b", php | dockerfile)) == {}
