"""Tests with an image of their own: folders with a Dockerfile beside the application, and services of Compose files."""

import re
from pathlib import Path
from typing import Any

from delivery.discovery.compose_files import ComposeFile, compose_files_of_tests
from delivery.discovery.compose_services import ComposeService, services_of
from delivery.discovery.composition import Composition
from delivery.discovery.dockerfiles import started_as
from delivery.discovery.draft import Draft, free_name, yaml_line
from delivery.discovery.folders import below, mentions
from delivery.discovery.images import ImageDraft, dockerfiles_beside, image_of_tests
from delivery.discovery.interpolation import unknown_variables
from delivery.discovery.packages import node_package, python_names
from delivery.discovery.roles import role_of
from delivery.discovery.services import Part
from delivery.discovery.suite_tools import KNOWN_TOOLS

_TEXTS = ("*.js", "*.ts", "*.mjs", "*.py", "*.json", "*.sh", "Dockerfile", "*.go", "*.java", "*.ini", "*.toml")
_RUNNERS = ("playwright", "cypress", "newman", "jest", "vitest", "pytest")


def add_test_folders(parts: list[Part], root: Path, draft: Draft) -> None:
    """Add a suite for each Dockerfile among the tests whose tests ask a variable where the application is."""
    suites = draft.content.setdefault("suites", {})
    public = [part.name for part in parts if "port" in part.content and "/" in part.content.get("routes", ["/"])]
    for path in dockerfiles_beside(root):
        image = image_of_tests(path, root)
        tool, name = _tool(path.parent, image), free_name(_name(path, root), suites)
        if not image.file.stages or tool is None:
            draft.leave_out(f"{below(path, root)} is not built: it lies among tests, and names no tool that is known")
            continue
        suite: dict[str, Any] = {"tool": tool if tool in KNOWN_TOOLS else "command", "build": image.content()}
        entrypoint, command = started_as(image.instructions)
        if command and not entrypoint:
            suite["command"] = command
        asked = [part.name for part in parts if mentions(path.parent, _variable(part.name), _TEXTS)]
        if mentions(path.parent, r"\bBASE_URL\b", _TEXTS):
            asked = asked or public[:1]
        if not asked:
            example = {"tool": suite["tool"], "build": suite["build"], "services": public[:1] or ["…"]}
            draft.decide(
                f"{below(path.parent, root)} has tests with an image of their own, and nothing in them asks BASE_URL, "
                f"which tells where the service beside them is; a suite would be\n{yaml_line({name: example})[1:-1]}"
            )
            continue
        suite["services"] = asked
        if "database" in draft.content and mentions(path.parent, r"DATABASE_URL|PGHOST|psycopg|asyncpg", _TEXTS):
            suite["database"] = True
        suites[name] = suite
        draft.guess(f"{below(path, root)}: {tool} asks {', '.join(asked)}")


def add_compose_suites(found: Composition | None, root: Path, draft: Draft) -> None:
    """Add the test services of Compose files where no other suite was found; else say how to have them."""
    offered: list[tuple[ComposeFile, ComposeService]] = (
        [(found.file, service) for service in found.tests] if found else []
    )
    for file in compose_files_of_tests(root):
        services = services_of(file, root)
        offered += [(file, one) for one in services.values() if role_of(one, services) == "tests"]
    suites = draft.content.setdefault("suites", {})
    for file, service in offered:
        where = file.names if below(root / file.names, root) and " + " not in file.names else None
        tool = next((name for name in _RUNNERS if name in " ".join(service.words)), "command")
        suite = {"tool": tool if tool in KNOWN_TOOLS else "command", "compose": where, "compose_service": service.name}
        name = free_name(service.name, suites)
        unknown = [key for key, text in service.environment.items() if unknown_variables(text)]
        if where and not suites and not unknown and not service.env_files:
            suites[name] = suite
            draft.guess(f"{service.name} in {where} runs tests, with everything else in the file beside it")
        elif where:
            written = yaml_line({name: {"compose": where, "compose_service": service.name}})[1:-1]
            draft.leave_out(f"{service.name} in {where}; a suite of it would be\n{written}")


def _tool(folder: Path, image: ImageDraft) -> str | None:
    package = node_package(folder)
    words = " ".join(
        [
            *started_as(image.instructions)[0],
            *started_as(image.instructions)[1],
            *(one.value for one in image.instructions),
        ]
    )
    for tool in _RUNNERS:
        if (
            package.has(tool)
            or package.has(f"@{tool}/test")
            or python_names(folder, tool)
            or re.search(rf"\b{tool}\b", words)
        ):
            return tool
    return "command" if re.search(r"\btests?\b", " ".join(started_as(image.instructions)[1])) else None


def _name(path: Path, root: Path) -> str:
    """Return what to call the suite: after its folder, unless that is just called `tests`."""
    folder = path.parent.name
    if folder.lower() in ("test", "tests") or path.parent == root:
        return "integration"
    return folder


def _variable(name: str) -> str:
    return rf"\b{name.upper().replace('-', '_')}_URL\b"
