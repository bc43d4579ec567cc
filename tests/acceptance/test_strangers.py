"""Applications that know nothing of Headway, delivered twice from what `headway init` wrote."""

import base64
import os
import re
import shutil
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.conftest import remove_platform
from tests.end_to_end.project import HANGS_SECONDS, Project
from tests.support.git_lfs import unpack_git_lfs
from tests.support.platforms import new_home

pytestmark = [pytest.mark.docker, pytest.mark.prefect]

APPLICATIONS = Path(__file__).parent / "applications"
MOST_LINES = 10
# There may be no database of vulnerabilities in reach, and then a scan cannot say yes.
MORE = {
    "guestbook": ["scan: {when_inconclusive: allow}"],
    "polls": ["scan: {when_inconclusive: allow}"],
    "storefront": ["scan: {when_inconclusive: allow}"],
}
SUITES = {"guestbook": {"unit"}, "polls": {"unit"}, "storefront": {"unit", "unit-web"}}
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
def deliver(tmp_path, monkeypatch):
    """Deliver an application as a newcomer would; its platform is removed at the end."""
    project = Project(new_home(tmp_path / "home").root, tmp_path / "app")

    def start(name):
        shutil.copytree(APPLICATIONS / name, project.folder)
        project.git("init", "-q", "-b", "main")
        if name == "storefront":
            _add_catalogue(project, tmp_path / "catalogue")
            _add_logo(project, tmp_path, monkeypatch)
        project.commit("Start")
        done = project.headway("init")
        assert done.returncode == 0, done.stderr
        file = project.folder / "headway.yaml"
        file.write_text("\n".join([file.read_text().rstrip("\n"), *MORE[name]]) + "\n")
        project.commit("Describe it to Headway")
        return project

    yield start
    remove_platform(project)


def _run(project):
    done = project.headway("run", timeout=HANGS_SECONDS)
    assert done.returncode == 0, f"{(project.folder / 'headway.yaml').read_text()}\n{done.stdout}\n{done.stderr}"
    return re.search(r"^application +(\S+)$", done.stdout, re.MULTILINE)[1], done.stdout


@pytest.mark.timeout(4 * HANGS_SECONDS)
@pytest.mark.parametrize("name", MORE)
def test_a_strangers_application_is_delivered_twice(deliver, name):
    assert len(MORE[name]) <= MOST_LINES
    project = deliver(name)

    url, said = _run(project)
    _use(name, url, "before")
    assert {suite for suite in SUITES[name] if re.search(rf"✓ {suite}\b", said)} == SUITES[name]

    _change(name, project.folder)
    project.commit("Change what is said")
    url, _ = _run(project)
    _use(name, url, "after")


def _use(name, url, when):
    """Use the application; `when` is before or after the change."""
    if name == "guestbook":
        greeting = {"before": "Hello", "after": "Welcome"}[when]
        assert httpx.post(url, json={"text": when}).status_code == 201
        assert httpx.get(url).json() == {"greeting": greeting, "entries": ["before", "after"][: 1 + (when == "after")]}
    elif name == "polls":
        assert httpx.post(f"{url}/vote", params={"choice": "tea"}).status_code == 201
        assert httpx.get(url).json()["tea"] == 1
        assert ("polls" in httpx.get(url).headers.get("server", "")) == (when == "after")
    else:
        assert [item["name"] for item in httpx.get(f"{url}/api/items").json()] == ["tea", "coffee"]
        assert httpx.get(f"{url}/logo.png").content == PICTURE
        title = {"before": "Storefront", "after": "Shop"}[when]
        assert f"<title>{title}" in httpx.get(url).text


def _change(name, folder):
    file, old, new = {
        "guestbook": ("app/__init__.py", '"GREETING", "Hello"', '"NO_GREETING", "Welcome"'),
        "polls": (
            "src/server.js",
            '"content-type": "application/json"',
            '"content-type": "text/json", server: "polls"',
        ),
        "storefront": ("services/web/pages.js", "<title>Storefront", "<title>Shop"),
    }[name]
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


def _add_catalogue(project, folder):
    """Add a submodule with what is for sale."""
    folder.mkdir()
    (folder / "items.json").write_text('[{"name": "tea", "price": 3}, {"name": "coffee", "price": 4}]\n')
    catalogue = Project(project.home, folder)
    catalogue.git("init", "-q", "-b", "main")
    catalogue.commit("Start")
    project.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(folder), "catalogue")


def _add_logo(project, folder, monkeypatch):
    """Add a picture that is kept with git-lfs."""
    monkeypatch.setenv("PATH", f"{unpack_git_lfs(folder / 'lfs')}:{os.environ['PATH']}")
    project.git("lfs", "install", "--local")
    logo = project.folder / "services/web/public/logo.png"
    logo.parent.mkdir(parents=True, exist_ok=True)
    logo.write_bytes(PICTURE)
