"""Tests become suites in the stage that can run them; where none can, it is said which lines are missing."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.discovery.suite_tools import KNOWN_TOOLS
from tests.delivery.discovery.repository import POSTGRES, guess, package, suites

NPM = "FROM node:22\nWORKDIR /app\nCOPY . .\nRUN npm ci\nEXPOSE 80\nCMD node .\n"
PIP = "FROM python:3.12\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\nEXPOSE 80\nCMD serve\n"
STAGED = """
FROM node:22 AS base
WORKDIR /app
COPY package.json ./
FROM base AS {stage}
RUN npm ci
COPY . .
{command}
FROM base
RUN npm ci --omit=dev
COPY src src
EXPOSE 3000
CMD node src
"""


def tool(name: str) -> str:
    """Return the tool as the file names it, until every one of them is known."""
    return name if name in KNOWN_TOOLS else "command"


@pytest.mark.parametrize(
    ("files", "suite"),
    [
        ({"package.json": package(dev=["jest"]), "a.test.js": ""}, {"tool": "jest", "command": ["npx", "jest"]}),
        (
            {"package.json": package(dev=["vitest"]), "src/a.spec.ts": ""},
            {"tool": tool("vitest"), "command": ["npx", "vitest", "run"]},
        ),
        (
            {"package.json": package(dev=["jest"], scripts={"test": "jest --ci"}), "__tests__/a.js": ""},
            {"tool": "jest", "command": ["npx", "jest"]},
        ),
        (
            {"package.json": package(dev=["mocha"], scripts={"test": "mocha --exit"}), "test/a.js": ""},
            {"tool": "command", "command": ["npm", "test"]},
        ),
        (
            {"package.json": package(scripts={"test": "node --test test/"}), "test/a.test.js": ""},
            {"tool": tool("node"), "command": ["node", "--test", "test/"]},
        ),
        (
            {"package.json": package(), "a.test.mjs": "import { test } from 'node:test'\n"},
            {"tool": tool("node"), "command": ["node", "--test"]},
        ),
        (
            {
                "package.json": package(dev=["react-scripts"], scripts={"test": "react-scripts test"}),
                "src/a.test.js": "",
            },
            {"tool": "command", "command": ["npm", "test"]},
        ),
        (
            {"package.json": package(dev=["tap"], scripts={"test": "tap"}), "test/a.js": ""},
            {"tool": "command", "command": ["npm", "test"]},
        ),
    ],
)
def test_a_runner_of_node_becomes_a_suite(tmp_path: Path, files: dict[str, str], suite: dict[str, Any]) -> None:
    assert suites(guess(tmp_path, {"Dockerfile": NPM, **files}))["unit"] == {**suite, "image": "web"}


@pytest.mark.parametrize(
    "files",
    [
        {"package.json": package(dev=["jest"])},
        {"package.json": package(scripts={"test": 'echo "Error: no test specified" && exit 1'}), "test/a.js": ""},
        {"package.json": package(scripts={"test": ""}), "test/a.js": ""},
        {"requirements.txt": "pytest\n"},
        {"go.mod": "module x\n"},
    ],
)
def test_where_there_are_no_tests_there_is_no_suite(tmp_path: Path, files: dict[str, str]) -> None:
    assert suites(guess(tmp_path, {"Dockerfile": NPM, **files})) == {}


@pytest.mark.parametrize("stage", ["test", "tests", "testing", "ci", "unit-test", "test-runner"])
def test_a_stage_for_tests_is_used(tmp_path: Path, stage: str) -> None:
    dockerfile = STAGED.format(stage=stage, command='CMD ["npx", "jest", "--ci"]')
    found = guess(tmp_path, {"Dockerfile": dockerfile, "package.json": package(dev=["jest"]), "src/a.test.js": ""})
    assert suites(found)["unit"] == {"tool": "jest", "build": {"target": stage}, "command": ["npx", "jest", "--ci"]}


@pytest.mark.parametrize("stage", ["dev", "builder", "x"])
def test_any_stage_with_tool_and_tests_is_better_than_none(tmp_path: Path, stage: str) -> None:
    dockerfile = STAGED.format(stage=stage, command="")
    found = guess(tmp_path, {"Dockerfile": dockerfile, "package.json": package(dev=["jest"]), "src/a.test.js": ""})
    assert suites(found)["unit"]["build"] == {"target": stage}


def test_a_stage_without_a_name_is_named_by_its_number(tmp_path: Path) -> None:
    dockerfile = "FROM golang:1.23\nWORKDIR /src\nCOPY . .\nFROM scratch\nEXPOSE 80\nCMD x\n"
    found = guess(tmp_path, {"Dockerfile": dockerfile, "go.mod": "", "a_test.go": ""})
    assert suites(found)["unit"] == {"tool": "command", "build": {"target": "0"}, "command": ["go", "test", "./..."]}


@pytest.mark.parametrize(
    "install",
    [
        *(
            "RUN npm ci --omit=dev",
            "RUN npm install --production",
            "ENV NODE_ENV=production\nRUN npm ci",
            "RUN yarn --production",
        ),
        *(
            "RUN npm ci && npm prune --omit=dev",
            "RUN pnpm install --prod --frozen-lockfile",
            "RUN NODE_ENV=production npm ci",
        ),
        *("RUN npm install -g pm2", "", "RUN npm ci --only=production"),
    ],
)
def test_a_suite_that_the_image_cannot_run_is_left_out_with_the_lines_to_add(tmp_path: Path, install: str) -> None:
    dockerfile = f"FROM node:22\nWORKDIR /srv\nCOPY . .\n{install}\nEXPOSE 80\nCMD node .\n"
    found = guess(tmp_path, {"Dockerfile": dockerfile, "package.json": package(dev=["jest"]), "a.test.js": ""})
    assert suites(found) == {}
    note = next(one for one in found.draft.decisions if "jest" in one)
    _, *stage, suite = note.split("\n")
    assert stage == ["FROM node:22 AS test", "WORKDIR /srv", "COPY . .", "RUN npm install"]
    added = {"Dockerfile": dockerfile.replace("FROM node", "\n".join([*stage, "FROM node"]), 1)}
    assert suites(guess(tmp_path, added))["unit"]["build"] == yaml.safe_load(suite)["suites"]["unit"]["build"]


@pytest.mark.parametrize(
    "install",
    [
        *(
            "RUN npm ci",
            "RUN yarn install --frozen-lockfile",
            "RUN yarn",
            "RUN pnpm i --frozen-lockfile",
            "RUN bun install",
        ),
        *(
            "ENV NODE_ENV=production\nRUN npm ci --include=dev",
            "RUN corepack enable && pnpm install",
            "RUN npm install\nENV NODE_ENV=production",
        ),
    ],
)
def test_an_image_with_development_packages_runs_its_own_tests(tmp_path: Path, install: str) -> None:
    dockerfile = f"FROM node:22\nCOPY . .\n{install}\nEXPOSE 80\nCMD node .\n"
    found = guess(tmp_path, {"Dockerfile": dockerfile, "package.json": package(dev=["jest"]), "a.test.js": ""})
    assert suites(found)["unit"]["image"] == "web"


@pytest.mark.parametrize("ignored", ["*.test.js", "**/*.test.js", "src", "src/", "src/a.test.js", "*\n!package.json"])
def test_tests_that_the_build_does_not_get_are_not_run(tmp_path: Path, ignored: str) -> None:
    files = {
        "Dockerfile": NPM,
        "package.json": package(dev=["jest"]),
        "src/a.test.js": "",
        ".dockerignore": f"# x\n{ignored}\n",
    }
    found = guess(tmp_path, files)
    is_left_out = ignored != "*.test.js"  # which means the root alone
    assert (suites(found) == {}) == is_left_out
    assert ("is it copied, and not in .dockerignore?" in found.decisions) == is_left_out


def test_an_entry_point_that_takes_no_command_cannot_run_tests(tmp_path: Path) -> None:
    closed = NPM.replace("CMD node .", 'ENTRYPOINT ["node", "server.js"]')
    found = guess(tmp_path, {"Dockerfile": closed, "package.json": package(dev=["jest"]), "a.test.js": ""})
    assert suites(found) == {}
    opened = {
        "Dockerfile": NPM + 'ENTRYPOINT ["./docker-entrypoint.sh"]\n',
        "docker-entrypoint.sh": '#!/bin/sh\nexec "$@"\n',
    }
    assert suites(guess(tmp_path, opened))["unit"]["image"] == "web"


@pytest.mark.parametrize(
    ("test", "has_database"),
    [
        ("from sqlalchemy import create_engine\n", True),
        ("import os\nos.environ['DATABASE_URL']\n", True),
        ("from fastapi.testclient import TestClient\n", True),
        ("def test_sum(): assert 1 + 1 == 2\n", False),
        ("from sqlalchemy import create_engine\ncreate_engine('sqlite://')\n", False),
    ],
)
def test_tests_that_speak_of_the_database_get_one(tmp_path: Path, test: str, has_database: bool) -> None:
    files = {"Dockerfile": PIP, "requirements.txt": "pytest\npsycopg\n", "tests/test_a.py": test}
    web = "  web: {build: ., ports: ['80'], environment: {DB_HOST: db, DATABASE_URL: 'postgres://a@db/b', MODE: x}}\n"
    found = guess(tmp_path, {**files, "compose.yaml": f"services:\n{web}{POSTGRES}"})
    assert found.app.suites["unit"].database == has_database
    assert found.app.suites["unit"].env == ({"DB_HOST": "${database.host}", "MODE": "x"} if has_database else {})


def test_tests_that_speak_of_the_cache_have_it_beside_them(tmp_path: Path) -> None:
    files = {
        "Dockerfile": PIP,
        "requirements.txt": "pytest\n",
        "tests/conftest.py": "import redis\n",
        "tests/test_a.py": "",
    }
    env = "{CACHE: 'redis://kept:6379', MODE: x, NODE_ENV: production}"
    web = f"  web: {{build: ., ports: ['80'], environment: {env}}}\n  kept: {{image: redis}}\n"
    found = guess(tmp_path, {**files, "compose.yaml": f"services:\n{web}  other: {{image: memcached}}\n"})
    assert (found.app.suites["unit"].services, found.app.suites["unit"].env) == (
        ("kept",),
        {"CACHE": "redis://kept:6379", "MODE": "x"},
    )


def test_each_image_has_a_suite_and_a_folder_without_a_dockerfile_too(tmp_path: Path) -> None:
    files = {
        f"{name}/{file}": text for name in ("api", "web") for file, text in (("Dockerfile", PIP), ("test_a.py", ""))
    }
    files |= {f"{name}/requirements.txt": "pytest\n" for name in ("api", "web")}
    found = guess(tmp_path / "a", files)
    assert {name: suite.image for name, suite in found.app.suites.items()} == {"unit": "api", "unit-web": "web"}
    whole = "FROM golang\nWORKDIR /src\nCOPY . .\nEXPOSE 80\nCMD x\n"
    below = guess(tmp_path / "b", {"Dockerfile": whole, "server/go.mod": "", "server/a_test.go": ""})
    assert suites(below)["unit"]["command"] == ["sh", "-c", "cd server && exec go test ./..."]


def test_tests_with_an_image_of_their_own_ask_what_they_test(tmp_path: Path) -> None:
    tests = {
        "tests/api/Dockerfile": 'FROM python\nCOPY . .\nRUN pip install pytest httpx\nCMD ["pytest", "-v"]\n',
        "tests/api/test_a.py": "import os, psycopg\nos.environ['API_URL']\n",
        "e2e/Dockerfile": "FROM mcr.microsoft.com/playwright\nCOPY . .\nRUN npm ci\n",
        "e2e/package.json": package(dev=["@playwright/test"]),
        "e2e/playwright.config.ts": "export default { use: { baseURL: process.env.BASE_URL } }\n",
        "tests/load/Dockerfile": "FROM grafana/k6\n",
    }
    services = f"services:\n  api: {{build: ., ports: ['80']}}\n{POSTGRES}"
    found = guess(tmp_path, {"Dockerfile": "FROM python\n", "compose.yaml": services, **tests})
    assert suites(found) == {
        "e2e": {"tool": "playwright", "build": {"context": "e2e"}, "services": ["api"]},
        "api": {
            "tool": "pytest",
            "build": {"context": "tests/api"},
            "command": ["pytest", "-v"],
            "services": ["api"],
            "database": True,
        },
    }
    assert "tests/load/Dockerfile is not built" in found.left_out


def test_tests_in_a_browser_without_an_image_are_pointed_out(tmp_path: Path) -> None:
    files = {
        "Dockerfile": NPM,
        "package.json": package(dev=["@playwright/test"]),
        "playwright.config.ts": "",
        "e2e/a.spec.ts": "",
    }
    found = guess(tmp_path, files)
    assert suites(found) == {}
    assert "playwright.config.ts: playwright needs an image with a browser" in found.decisions


def test_a_compose_file_for_tests_is_a_suite_where_there_is_no_other(tmp_path: Path) -> None:
    compose = "services: {tests: {build: ., command: pytest -q, depends_on: [db]}, db: {image: postgres}}"
    files = {
        "Dockerfile": "FROM python\nEXPOSE 80\n",
        "compose.yaml": "services: {web: {build: .}}",
        "compose.test.yaml": compose,
    }
    found = guess(tmp_path / "a", files)
    assert suites(found) == {"tests": {"tool": "pytest", "compose": "compose.test.yaml", "compose_service": "tests"}}
    own = {"package.json": package(dev=["jest"]), "a.test.js": "", "Dockerfile": NPM}
    other = guess(tmp_path / "b", files | own)
    assert list(suites(other)) == ["unit"]
    assert "tests: {compose: compose.test.yaml, compose_service: tests}" in other.left_out
