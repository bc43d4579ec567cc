"""Which packages a build stage installs: with or without those for development."""

import re
from pathlib import Path

from delivery.discovery.contents import Build
from delivery.discovery.dockerfiles import Instruction, Stage, environment
from delivery.discovery.folders import read
from delivery.discovery.packages import groups_with, names, node_package, requirement_text

_NODE_INSTALL = re.compile(
    r"(?:^|[\s;&|(])(?:npm\s+(?:ci|install|i|clean-install)\b(?!\s+(?:-g|--global)\b)"
    r"|yarn(?:\s+install\b|\s+--|\s+workspaces\s+focus|\s*$|\s*[;&|])|pnpm\s+(?:install|i|fetch)\b"
    r"|bun\s+(?:install|i)\b)"
)
_NODE_PRODUCTION = re.compile(
    r"--omit[= ]dev|--only[= ]prod|--production(?!=false)\b|--prod\b|(?<=\s)-P\b|(?:^|\s)NODE_ENV=production"
    r"|npm_config_production=true"
)
_NODE_DEV = re.compile(r"--include[= ]dev|--production=false|--only[= ]dev|NODE_ENV=development|-D\b|--dev\b")
_NODE_PRUNE = re.compile(r"(?:npm|pnpm|yarn)\s+prune\s.*(?:--prod|--omit)|npm\s+prune\s*$")
_PYTHON_TREES = re.compile(
    r"venv|site-packages|^/usr/local(?:/lib.*)?/?$|/install\b|/deps\b|\.local\b|/wheels|/packages\b"
)
_UV_PIP = re.compile(r"\bpip3?\s+(?:install|wheel|sync)\b|\bpip-sync\b")


def node_packages(build: Build, stage: Stage) -> str:
    """Return which packages of package.json are in `stage`: `all`, `production` or an empty text for none."""
    return _node_packages(build, stage, 0)


def has_node_tool(build: Build, stage: Stage, project: Path, package: str) -> bool:
    """Whether the program of a package can be run in `stage`."""
    held = node_packages(build, stage)
    added = re.compile(rf"\b(?:install|i|add)\s[^;&|]*(?<![\w/-]){re.escape(package)}(?![\w/-])")
    if any(added.search(one.value) for one in build.file.instructions(stage) if one.keyword == "RUN"):
        return True
    declared = [node_package(project), node_package(build.context)]
    if any(package in one.dependencies for one in declared):
        return held != ""
    if any(package in one.dev_dependencies for one in declared):
        return held == "all"
    return False


def _node_packages(build: Build, stage: Stage, deep: int) -> str:
    if deep > len(build.file.stages):
        return ""
    held, variables = "", dict[str, str]()
    for one in build.file.chain(stage):
        for instruction in one.instructions:
            if instruction.keyword == "ENV":
                variables |= environment([instruction])
            elif instruction.keyword == "RUN":
                held = _after_run(instruction.value, held, variables)
            elif instruction.keyword in ("COPY", "ADD") and (origin := instruction.options.get("from")):
                before = build.file.before(origin, one)
                if before and _brings_node_modules(instruction):
                    held = _node_packages(build, before, deep + 1) or held
    return held


def _after_run(text: str, held: str, variables: dict[str, str]) -> str:
    if _NODE_INSTALL.search(text):
        production = _NODE_PRODUCTION.search(text) or variables.get("NODE_ENV") == "production"
        held = "production" if production and not _NODE_DEV.search(text) else "all"
    if held and any(_NODE_PRUNE.search(part) for part in re.split(r"[;&|]+", text)):
        held = "production"
    return held


def _brings_node_modules(instruction: Instruction) -> bool:
    """Whether a COPY from another stage brings packages: the folder itself, or the whole of the application's."""
    *sources, _ = instruction.words() or [""]
    parts = [source.rstrip("/").rpartition("/")[2] for source in sources]
    whole = any(len([part for part in source.split("/") if part not in ("", ".")]) <= 1 for source in sources)
    return "node_modules" in parts or (whole and not any(part in ("dist", "build", "public", "out") for part in parts))


def has_python_tool(build: Build, stage: Stage, project: Path, package: str) -> bool:
    """Whether a Python package is installed in `stage`, by whichever installer."""
    return _has_python_tool(build, stage, project, package, 0)


def _has_python_tool(build: Build, stage: Stage, project: Path, package: str, deep: int) -> bool:
    if deep > len(build.file.stages):
        return False
    variables = environment(build.file.instructions(stage))
    for one in build.file.chain(stage):
        for instruction in one.instructions:
            origin = instruction.options.get("from", "")
            if instruction.keyword == "RUN" and _installs(instruction.value, project, build, package, variables):
                return True
            if instruction.keyword in ("COPY", "ADD") and (
                before := build.file.before(origin, one) if origin else None
            ):
                words = instruction.words()
                whole = any(source.strip("/").count("/") == 0 for source in words[:-1])
                if (whole or any(_PYTHON_TREES.search(word) for word in words)) and _has_python_tool(
                    build, before, project, package, deep + 1
                ):
                    return True
    return False


def _installs(text: str, project: Path, build: Build, package: str, variables: dict[str, str]) -> bool:
    """Whether the commands of one RUN install the package."""
    commands = re.split(r"&&|;|\|\||\n", text)
    return any(
        _pip_installs(one, project, build.context, package) or _groups_installed(one, project, package, variables)
        for one in commands
    )


def _pip_installs(text: str, project: Path, context: Path, package: str) -> bool:
    if not _UV_PIP.search(text):
        return False
    files = re.findall(r"(?:-r|--requirement)[ =]?\s*(\S+)", text) + re.findall(r"\b(\S+\.(?:txt|in))\b", text)
    folders = (project, context, project / "requirements", context / "requirements")
    for name in files:
        tails = [name, name.rpartition("/")[2]]
        if any(names(requirement_text(folder / tail.lstrip("/")), package) for folder in folders for tail in tails):
            return True
    bare = re.sub(r"(?:-r|--requirement)[ =]?\s*\S+", "", text)
    if names(bare, package):
        return True
    local = re.search(
        r"(?:^|\s)[\"']?(?:-e\s+|--editable\s+)?[\"']?(?:\.|/[\w/.-]+)(?:\[([\w,\s-]+)\])?[\"']?(?=\s|$)", bare
    )
    if local is None:
        return False
    wanted = {"main", *(f"extra:{extra.strip()}" for extra in (local[1] or "").split(","))}
    return bool(wanted & set(groups_with(project, package))) or _declared(project, package)


def _declared(project: Path, package: str) -> bool:
    """Whether setup.py names it as what is always installed."""
    required = re.search(r"install_requires\s*=\s*\[(.*?)\]", read(project / "setup.py"), re.DOTALL)
    return bool(required and names(required[1], package))


def _groups_installed(text: str, project: Path, package: str, variables: dict[str, str]) -> bool:
    installer = re.search(
        r"\b(uv\s+sync|poetry\s+(?:install|sync)|pdm\s+(?:install|sync)|pipenv\s+(?:install|sync))\b", text
    )
    if installer is None:
        return False
    program = installer[1].split()[0]
    asked = set(re.findall(r"--(?:extra|group|with|dev-group|only|only-group)[= ](\S+)", text.replace(",", " ")))
    without = set(re.findall(r"--(?:without|no-group)[= ](\S+)", text))
    all_groups, all_extras = "--all-groups" in text, "--all-extras" in text
    no_dev = re.search(r"--no-dev\b|--only[= ]main|--prod(?:uction)?\b|--no-default-groups|--only-group", text)
    dev = not no_dev and "dev" not in without and not variables.get("UV_NO_DEV")
    if program == "pipenv":
        dev = "--dev" in text or bool(re.search(r"\s-d\b", text))
    for place in groups_with(project, package):
        kind, _, name = place.partition(":")
        if place == "main" or (place == "dev" and (dev or "dev" in asked or all_groups)):
            return True
        if name in asked or (kind == "extra" and all_extras) or (kind == "group" and all_groups):
            return True
        if kind == "group" and program in ("poetry", "pdm") and dev and name not in without:
            return True
    return False
