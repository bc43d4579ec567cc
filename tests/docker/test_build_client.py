import logging
import sys

import pytest

from delivery.docker.images import build_client
from delivery.docker.images.build_client import find_builder, find_compose
from delivery.errors import Misconfigured


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with nothing but the programs a test puts there; its search path is returned by each."""
    folders = []
    (tmp_path / "venv").mkdir()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))

    def install(name, answers, folder=None):
        folder = tmp_path / (folder or f"bin{len(folders)}")
        folder.mkdir(exist_ok=True)
        folders.append(folder)
        cases = "\n".join(f"{arguments!r}) echo '{answer}'; exit 0;;" for arguments, answer in answers.items())
        program = folder / name
        program.write_text(f'#!/bin/sh\ncase "$*" in\n{cases}\nesac\nexit 1\n')
        program.chmod(0o755)
        return ":".join(map(str, folders))

    return install


def test_buildx_is_the_first_choice(machine):
    path = machine("docker", {"--version": "Docker version 20.10.24, build 1"})
    path = machine(
        "docker", {"--version": "Docker version 28.2.2", "buildx version": "github.com/docker/buildx v0.17.1 2"}
    )

    assert str(find_builder(path)) == "docker buildx 0.17.1"


def test_an_older_docker_behind_a_newer_one_without_buildx_is_found(machine):
    machine("docker", {"--version": "Docker version 28.2.2, build e6534b4"})
    path = machine("docker", {"--version": "Docker version 20.10.24+dfsg1, build 297e128"})

    builder = find_builder(path)

    assert str(builder) == "docker (BuildKit built in) 20.10.24"
    assert builder.program.endswith("bin1/docker")


def test_compose_beside_the_interpreter_steps_in(machine):
    path = machine("docker", {"--version": "Docker version 28.2.2, build e6534b4"})
    machine("docker-compose", {"version": "Docker Compose version v2.40.3"}, folder="venv")

    assert str(find_builder(path)) == "docker compose (BuildKit) 2.40.3"


def test_a_compose_that_cannot_build_alone_is_passed_over(machine):
    machine("docker-compose", {"version": "Docker Compose version v5.6.1"})
    path = machine("docker-compose", {"version": "Docker Compose version v2.29.1"})

    assert find_builder(path).version == "2.29.1"


def test_without_any_the_old_builder_is_used_and_warned_of(tmp_path, machine, monkeypatch, caplog):
    class Engine:
        def version(self):
            return {"Version": "20.10.24"}

    monkeypatch.setattr(build_client, "connect", Engine)

    with caplog.at_level(logging.WARNING, logger="headway.builder"):
        builder = find_builder(str(tmp_path / "nowhere"))

    assert str(builder) == "classic builder of Docker Engine 20.10.24"
    assert "install docker-buildx" in caplog.text


def test_the_machine_is_asked_once(tmp_path, machine):
    path = machine("docker", {"buildx version": "buildx v0.17.1"})
    first = find_builder(path)
    (tmp_path / "bin0" / "docker").unlink()

    assert find_builder(path) is first


def test_the_compose_inside_the_python_package_is_the_first_choice(machine):
    path = machine("docker-compose", {"version": "Docker Compose version v2.29.1"})

    (program,) = find_compose(path).program

    assert program.endswith("/compose/docker-compose")


def test_the_plugin_is_found_before_another_compose(machine, monkeypatch):
    monkeypatch.setattr(build_client, "_packaged_compose", lambda: ())
    machine("docker-compose", {"version": "Docker Compose version v2.29.1"})
    machine("docker", {"compose version": "Docker Compose version v2.17.3"})
    path = machine("docker", {"compose version": "Docker Compose version v2.36.0"})

    found = find_compose(path)

    assert found.version == "2.36.0"
    assert found.program[0].endswith("bin2/docker")
    assert found.program[1:] == ("compose",)


def test_a_machine_without_compose_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(build_client, "_packaged_compose", lambda: ())

    with pytest.raises(Misconfigured, match="next: install docker-compose-plugin"):
        find_compose(str(tmp_path / "no-programs"))
