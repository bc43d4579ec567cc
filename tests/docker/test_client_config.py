"""Docker's programs get the login of the platform's registry beside what their user has, and the user's stays."""

import json

from delivery.docker.images.client_config import client_folder

LOGIN = {"username": "headway", "password": "canary", "serveraddress": "127.0.0.1:5000"}
OURS = {"auth": "aGVhZHdheTpjYW5hcnk="}


def test_the_users_logins_plugins_and_builders_are_there_as_well(tmp_path, monkeypatch):
    own = tmp_path / "own"
    (own / "cli-plugins").mkdir(parents=True)
    (own / "cli-plugins" / "docker-buildx").write_text("#!/bin/sh\n")
    before = json.dumps({"auths": {"registry.example.org": {"auth": "eA=="}}, "currentContext": "far"})
    (own / "config.json").write_text(before)
    monkeypatch.setenv("DOCKER_CONFIG", str(own))

    folder = client_folder(tmp_path / "made", LOGIN)

    content = json.loads((folder / "config.json").read_text())
    assert content == {
        "auths": {"registry.example.org": {"auth": "eA=="}, "127.0.0.1:5000": OURS},
        "currentContext": "far",
    }
    assert (folder / "cli-plugins" / "docker-buildx").read_text() == "#!/bin/sh\n"
    assert (folder / "config.json").stat().st_mode & 0o777 == 0o600
    assert (own / "config.json").read_text() == before


def test_a_user_who_never_logged_in_or_whose_file_is_broken_is_no_obstacle(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))
    none = client_folder(tmp_path / "first", LOGIN)
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "config.json").write_text("{")
    broken = client_folder(tmp_path / "second", LOGIN)

    for folder in (none, broken):
        assert json.loads((folder / "config.json").read_text()) == {"auths": {"127.0.0.1:5000": OURS}}
