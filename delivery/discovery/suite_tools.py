"""Which tests a folder has: the tool that runs them, how, and what the tool needs to be there."""

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from delivery.discovery.contents import Build
from delivery.discovery.dockerfiles import Stage, environment
from delivery.discovery.folders import any_file, is_file, is_folder, mentions, read, walk
from delivery.discovery.installs import has_node_tool, has_python_tool, node_packages
from delivery.discovery.packages import NodePackage, node_package, python_files, python_names
from delivery.spec.suites import Tool

KNOWN_TOOLS = get_args(Tool)
NODE_TESTS = ("*.test.*", "*.spec.*", "*_test.js", "*_test.ts", "*.test-*.js")
PYTHON_TESTS = ("test_*.py", "*_test.py", "tests.py")
# Each with its own program and a command for all of its tests.
_NODE_RUNNERS = {
    "jest": ["npx", "jest"],
    "vitest": ["npx", "vitest", "run"],
    "mocha": ["npx", "mocha"],
    "ava": ["npx", "ava"],
}
_END_TO_END = re.compile(r"(^|/)(e2e|cypress|playwright|end-to-end)(/|$)|\.cy\.")
_NO_TESTS = re.compile(r"no tests? (specified|yet)|^\s*(exit|echo|true|:)\b")


@dataclass(frozen=True)
class FoundTests:
    """Tests of a folder: `holds` says whether a stage has the tool, `python` that it is one of Python's."""

    project: Path
    tool: str
    command: list[str]
    why: str
    sample: Path
    holds: Callable[[Build, Stage], bool]
    lines: tuple[str, ...]  # of a Dockerfile stage in which they could run
    files: tuple[str, ...]  # what its tests are called
    python: bool = False
    junit: str = ""  # below the project's folder

    @property
    def known_tool(self) -> str:
        """The tool as headway.yaml names it."""
        return self.tool if self.tool in KNOWN_TOOLS else "command"

    @property
    def shown(self) -> str:
        """The tool as people call it, or what is run."""
        return " ".join(self.command) if self.tool == "command" else self.tool


def tests_of(project: Path) -> Iterator[FoundTests]:
    """Yield the tests of a folder, one for each language it is written in."""
    for found in (
        _node(project),
        _python(project),
        _go(project),
        _java(project),
        _rust(project),
        _ruby(project),
        _others(project),
    ):
        if found:
            yield found


def _node(project: Path) -> FoundTests | None:
    package = node_package(project)
    if not package.keys:
        return None
    sample = _sample(project, *NODE_TESTS) or next(
        (p for p in walk(project, 4, beside=True) if _is_in_tests(p, project)), None
    )
    script = package.scripts.get("test", "")
    named = None if _NO_TESTS.search(script) else script
    chosen = _node_runner(package, named or "", project, sample)
    if sample is None or chosen is None:
        return None
    tool, command, why, program = chosen

    def holds(build: Build, stage: Stage) -> bool:
        if program and program != "node":
            return has_node_tool(build, stage, project, program)
        packages = node_packages(build, stage)
        return packages == "all" or (not package.dev_dependencies and (packages != "" or not package.dependencies))

    lines = ("COPY . .", "RUN npm ci") if is_file(project / "package-lock.json") else ("COPY . .", "RUN npm install")
    return FoundTests(project, tool, command, why, sample, holds, lines, (*NODE_TESTS, "*.js", "*.ts"))


def _node_runner(
    package: NodePackage, script: str, project: Path, sample: Path | None
) -> tuple[str, list[str], str, str] | None:
    """Return tool, command, where it was seen, and the package it needs."""
    if "react-scripts" in script or "vue-cli-service" in script or "craco" in script:
        return "command", ["npm", "test"], "package.json has a test script", script.split()[0]
    if re.search(r"\bnode\b.*\s--test\b|\btsx\b.*\s--test\b", script):
        return "node", _script_words(script), "package.json runs Node's own runner", "node"
    for tool, command in _NODE_RUNNERS.items():
        if package.has(tool) and (
            not script or tool in script or not re.search(r"\b(jest|vitest|mocha|ava)\b", script)
        ):
            own = tool if tool in KNOWN_TOOLS or tool in ("vitest",) else "command"
            through = ["npm", "test"] if own == "command" and script else command
            return own, through, f"package.json names {tool}", tool
    if script:
        return "command", ["npm", "test"], "package.json has a test script", ""
    if sample and re.search(r"[\"']node:test[\"']", read(sample)):
        return "node", ["node", "--test"], f"{sample.name} uses Node's own runner", "node"
    return None


def _script_words(script: str) -> list[str]:
    """Return a script's words, or npm where only a shell understands it."""
    words = (
        []
        if re.search(r"[;&|<>$`*]|^\w+=", script)
        else shlex.split(script, posix=True)
        if script.count('"') % 2 == 0 and "'" not in script
        else []
    )
    return words or ["npm", "test"]


def _python(project: Path) -> FoundTests | None:
    sample = _sample(project, *PYTHON_TESTS)
    if sample is None:
        return None
    named = python_names(project, "pytest")
    configured = next(
        (name for name in ("pytest.ini", "conftest.py", "tests/conftest.py") if is_file(project / name)), None
    )
    django = is_file(project / "manage.py") and python_names(project, "django")
    if named or configured:
        tool, package, command = "pytest", "pytest", ["python", "-m", "pytest"]
        why = f"{named.name if named else configured} names it"
    elif django:
        tool, package, command, why = (
            "command",
            "django",
            ["python", "manage.py", "test", "--noinput"],
            "there is a manage.py",
        )
    elif re.search(r"^\s*(import|from)\s+unittest\b", read(sample), re.MULTILINE):
        tool, package, command, why = (
            "command",
            "",
            ["python", "-m", "unittest", "discover", "-v"],
            f"{sample.name} uses unittest",
        )
        start = sample.parent.relative_to(project).as_posix()
        if start != "." and not is_file(sample.parent / "__init__.py"):
            command = [*command[:-1], "-s", start, "-v"]
    else:
        return None

    def holds(build: Build, stage: Stage) -> bool:
        return not package or has_python_tool(build, stage, project, package)

    return FoundTests(
        project, tool, command, why, sample, holds, _python_lines(project), (*PYTHON_TESTS, "conftest.py"), python=True
    )


def _python_lines(project: Path) -> tuple[str, ...]:
    """Return the lines of a stage that installs what the tests need, as the project installs things."""
    if is_file(project / "uv.lock"):
        return ("COPY . .", "RUN uv sync --frozen --all-groups")
    if is_file(project / "poetry.lock"):
        return ("COPY . .", "RUN poetry install")
    requirements = [path for path in python_files(project) if path.suffix == ".txt"]
    named = next((path for path in requirements if "pytest" in read(path)), None)
    if named:
        return ("COPY . .", f"RUN pip install -r {named.relative_to(project).as_posix()}")
    base = "-r requirements.txt " if is_file(project / "requirements.txt") else ""
    return ("COPY . .", f"RUN pip install {base}pytest")


def _go(project: Path) -> FoundTests | None:
    sample = any_file(project, "*_test.go") if is_file(project / "go.mod") else None
    return _by_base(project, sample, r"golang|(^|/)go:", ["go", "test", "./..."], "there is a go.mod", "*_test.go")


def _java(project: Path) -> FoundTests | None:
    sample = any_file(
        project, "*Test.java", "*Tests.java", "*Test.kt", "*Tests.kt", "*Spec.groovy", "*IT.java", depth=12
    )
    if is_file(project / "pom.xml"):
        wrapped = is_file(project / "mvnw")
        base = r"maven|jdk|temurin|corretto|openjdk" if wrapped else r"maven"
        command = ["./mvnw" if wrapped else "mvn", "-B", "test"]
        return _by_base(project, sample, base, command, "there is a pom.xml", "*.java", "target/surefire-reports/*.xml")
    if is_file(project / "build.gradle") or is_file(project / "build.gradle.kts"):
        wrapped = is_file(project / "gradlew")
        base = r"gradle|jdk|temurin|corretto|openjdk" if wrapped else r"gradle"
        command = ["./gradlew" if wrapped else "gradle", "test", "--no-daemon"]
        return _by_base(
            project, sample, base, command, "there is a Gradle build", "*.java", "build/test-results/test/*.xml"
        )
    return None


def _rust(project: Path) -> FoundTests | None:
    has_tests = is_file(project / "Cargo.toml") and mentions(project, r"#\[(tokio::)?test\]", ["*.rs"])
    return _by_base(project, has_tests or None, r"rust", ["cargo", "test"], "there is a Cargo.toml", "*.rs")


def _ruby(project: Path) -> FoundTests | None:
    gemfile = read(project / "Gemfile")
    spec = any_file(project, "*_spec.rb") if "rspec" in gemfile else None
    test = any_file(project, "*_test.rb") if is_file(project / "bin/rails") else None
    if not gemfile or not (spec or test):
        return None
    command = ["bundle", "exec", "rspec"] if spec else ["bin/rails", "test"]

    def holds(build: Build, stage: Stage) -> bool:
        instructions = build.file.instructions(stage)
        runs = " ".join(one.value for one in instructions if one.keyword == "RUN")
        without = environment(instructions).get("BUNDLE_WITHOUT", "") + " ".join(re.findall(r"without\s+\S*", runs))
        deployed = environment(instructions).get("RAILS_ENV") == "production"
        return "bundle install" in runs and "test" not in without and not deployed

    lines = ("COPY . .", "RUN bundle install")
    return FoundTests(
        project, "command", command, "the Gemfile names it", spec or test or project, holds, lines, ("*.rb",)
    )


def _others(project: Path) -> FoundTests | None:
    composer = read(project / "composer.json")
    if "phpunit" in composer or "pestphp" in composer:
        sample = any_file(project, "*Test.php")
        program = "pest" if "pestphp/pest" in composer else "phpunit"

        def holds(build: Build, stage: Stage) -> bool:
            runs = [one.value for one in build.file.instructions(stage) if one.keyword == "RUN"]
            return any("composer install" in run and "--no-dev" not in run for run in runs)

        lines = ("COPY . .", "RUN composer install")
        command, why = [f"vendor/bin/{program}"], "composer.json names it"
        return FoundTests(project, "command", command, why, sample, holds, lines, ("*.php",)) if sample else None
    sample = any_file(project, "*Tests.csproj", "*Test.csproj", "*.Tests.fsproj")
    return _by_base(
        project, sample, r"dotnet/sdk", ["dotnet", "test"], f"there is {sample.name if sample else ''}", "*.cs"
    )


def _by_base(
    project: Path, sample: Path | None, base: str, command: list[str], why: str, files: str, junit: str = ""
) -> FoundTests | None:
    """Return tests whose tool comes with the image that a stage starts from."""
    if sample is None:
        return None

    def holds(build: Build, stage: Stage) -> bool:
        return re.search(base, build.file.base(stage)) is not None

    return FoundTests(project, "command", command, why, sample, holds, ("COPY . .",), (files,), junit=junit)


def _sample(project: Path, *patterns: str) -> Path | None:
    """Return a test that is not one of a browser's."""
    for path in walk(project, 6, beside=True):
        where = path.relative_to(project).as_posix()
        if (
            not _END_TO_END.search(where)
            and any(path.match(one) for one in patterns)
            and not _is_other_project(path, project)
        ):
            return path
    return None


def _is_other_project(path: Path, project: Path) -> bool:
    """Whether a file belongs to a folder with dependencies of its own, and not to `project`."""
    folder = path.parent
    while folder not in (project, folder.parent):
        if is_file(folder / "package.json") or is_file(folder / "Dockerfile") or is_file(folder / "pyproject.toml"):
            return True
        folder = folder.parent
    return False


def _is_in_tests(path: Path, project: Path) -> bool:
    parts = path.relative_to(project).parts
    return (
        path.suffix in (".js", ".mjs", ".cjs", ".ts")
        and bool({"test", "tests", "__tests__"} & set(parts[:-1]))
        and is_folder(project)
    )
