"""What stands in the repository's files: pins, and nothing of one machine or one network."""

import importlib.util
import itertools
import os
import re
from importlib.metadata import requires
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.architecture.sources import ROOT, modules, text, tracked

LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-uv.lock"]
PIN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*(\[[a-z,-]+\])?==[^\s;]+( ; [^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
# Where packages come from is the machine's affair. (`docker.io` is no place here but a part of the names of images.)
HOSTS = re.compile(
    r"\bpythonhosted\.org\b|\b(?:pypi|npmjs|yarnpkg|golang|goproxy|crates|rubygems|maven)\.(?:org|com|io)\b"
    r"|\bamazonaws\.com\b|\bpkg\.dev\b",
    re.IGNORECASE,
)
# Patterns, so that the names themselves stand nowhere: mirrors and archives of distributions, and of what they pass on.
MIRRORS = re.compile(
    r"\b(?:https?://)?(?:[a-z0-9-]+\.)*(?:deb|debs|ftp\d*|security|archive|snapshot|mirrors?|cdn[a-z-]*|ports|apt|dl-cdn|packages)"
    r"\.(?:[a-z0-9-]+\.)*(?:debian|ubuntu|alpinelinux|fedoraproject|centos|archlinux|kernel|gcr|nodesource|postgresql|docker)"
    r"\.(?:org|com|io|net)\b",
    re.IGNORECASE,
)
# Folders of one machine; `node` is a user inside an image.
MACHINES = re.compile(r"(?<![\w.$}])/(?:(?:home|Users)/(?!node\b)\w|(?:root|work|workspace)/)")
BINARY = (".png", ".ico", ".gz", ".zip", ".tar")


def packages(lock: str) -> set[str]:
    names = re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*\])?==", text(lock), re.MULTILINE)
    return {name.lower().replace("_", "-") for name in names}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_every_package_with_its_hashes_and_nothing_else(lock: str) -> None:
    lines = [line for line in text(lock).splitlines() if line and not line.lstrip().startswith("#")]
    assert [line for line in lines if not PIN.match(line) and not HASH.match(line)] == []
    assert all(HASH.match(after) for line, after in itertools.pairwise(lines) if PIN.match(line))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place(lock: str) -> None:
    assert "://" not in text(lock)
    assert "--index-url" not in text(lock)
    assert " @ " not in text(lock)


def test_what_is_used_is_tested() -> None:
    assert packages("requirements.lock") <= packages("requirements-dev.lock")


def test_every_dependency_is_locked() -> None:
    declared = re.search(r"^dependencies = \[\n(.*?)^\]", text("pyproject.toml"), re.MULTILINE | re.DOTALL)
    assert declared
    names = re.findall(r'^  "([a-z0-9-]+)', declared[1], re.MULTILINE)
    assert len(names) > 10
    assert set(names) <= packages("requirements.lock")


def test_boto3_is_bound_as_aiobotocore_binds_it() -> None:
    # Else pip, which pipx uses, tries one version of each after another, and has found no pair after ten minutes.
    declared = re.search(r'^  "boto3<([\d.]+)"', text("pyproject.toml"), re.MULTILINE)
    (bound,) = [one for one in requires("aiobotocore") or () if re.match(r"botocore\W", one)]
    assert declared
    assert f"<{declared[1]}" in bound.removeprefix("botocore").split(",")


@pytest.mark.parametrize("pattern", [HOSTS, MIRRORS, MACHINES], ids=["registry", "mirror", "machine"])
def test_no_file_names_a_registry_or_a_folder_of_one_machine(pattern: re.Pattern[str]) -> None:
    found = [
        f"{name}: {match[0]}"
        for name in tracked()
        if not name.endswith(BINARY)
        for match in [pattern.search((ROOT / name).read_text(encoding="utf-8", errors="replace"))]
        if match
    ]
    assert found == []


@pytest.mark.parametrize(
    "host", ["de" + "b.debian.org", "ftp2.de.debian" + ".org", "archive.ubuntu" + ".com", "mirror.gcr" + ".io"]
)
def test_the_pattern_of_mirrors_knows_one(host: str) -> None:
    assert MIRRORS.search(f"deb http://{host}/debian bookworm main")


def test_no_file_names_where_this_machine_gets_its_packages() -> None:
    hosts = {urlsplit(uri).hostname for uri in _package_sources()} - {None, "localhost", "127.0.0.1"}
    found = [
        f"{name}: {host}"
        for name in tracked()
        if not name.endswith(BINARY)
        for host in hosts
        if host and re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", (ROOT / name).read_text(errors="replace"))
    ]
    assert found == []


def _package_sources() -> list[str]:
    """Return the addresses in the configuration of this machine's own package managers."""
    apt = Path("/etc/apt")
    files = [apt / "sources.list", *(apt / "sources.list.d").glob("*"), Path("/etc/pip.conf"), Path.home() / ".npmrc"]
    texts = [file.read_text(errors="replace") for file in files if file.is_file()]
    texts += [
        value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "npm_config_", "NPM_CONFIG_"))
    ]
    return [uri for text in texts for uri in re.findall(r"https?://[^\s\]\"']+", text)]


def test_every_package_says_what_it_is() -> None:
    packages_ = [
        name for name in modules("cli/", "flows/", "tasks/", "blocks/", "delivery/") if name.endswith("__init__.py")
    ]
    assert all(text(name).startswith('"""') for name in packages_)


@pytest.mark.parametrize("package", ["prefect", "sqlalchemy", "typer"])
def test_what_set_up_installs_is_compiled(package: str) -> None:
    found = importlib.util.find_spec(package)
    assert found
    assert found.origin
    assert Path(importlib.util.cache_from_source(found.origin)).exists()


def test_the_continuous_check_is_what_the_readme_calls_the_tests() -> None:
    assert text(".ci/run").rstrip().endswith("exec make test")
    assert "    make test\n" in text("README.md")


def test_what_tests_measure_is_not_called_as_what_is_known_of_each_test() -> None:
    # Both stand in one table; a figure of such a name ends the whole series when it is written down.
    taken = re.compile(r"record_property\(\s*[\"'](?:outcome|seconds)[\"']")
    assert [name for name in modules("tests/", "bench/") if taken.search(text(name))] == []
