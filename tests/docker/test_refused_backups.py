"""What is refused before anything is done with a backup on a Docker host: no engine is asked."""

from types import SimpleNamespace

import pytest

from delivery.changes.kept import BackupFolder
from delivery.docker.backups import DockerBackups
from delivery.docker.database.keeping import Keeper
from delivery.docker.engine.names import EnvironmentNames
from delivery.errors import Misconfigured, Rejected
from delivery.home import Home
from delivery.spec.backups import BackupPolicy
from tests.delivery.changes.test_kept import PROOF, add
from tests.delivery.values import NOON

NAMES = EnvironmentNames("platform", "shop", "production")


@pytest.mark.parametrize("left", [b'{"token": "ab", "sta', None], ids=["cut off", "gone"])
def test_a_backup_of_which_nobody_knows_what_it_held_is_shown_as_damaged_though_it_was_proven(tmp_path, left):
    folder = BackupFolder(Home(tmp_path), "shop", "production")
    name = add(folder)
    folder.keep_proof(folder.folder / name, PROOF)
    look = folder.folder / name / "look.json"
    look.unlink()
    if left is not None:
        look.write_bytes(left)

    with pytest.raises(Rejected, match=r"look\.json (cannot be read|is not there)"):
        Keeper(NAMES, Home(tmp_path), None, "postgres").prove(name, "run-1")

    assert [one.proven for one in folder.all()] == ["damaged"]


@pytest.mark.parametrize(
    ("into", "refused"), [("taken", "is there already"), ("shop", "is there already"), ('a"b', "is no name")]
)
def test_a_name_that_cannot_be_had_is_refused_before_anything_is_replayed(tmp_path, into, refused):
    own = SimpleNamespace(
        home=Home(tmp_path),
        names=NAMES,
        policy=BackupPolicy(any_second=True),
        ensure=lambda *, anew: None,
        beside=lambda: ("shop", "taken"),
    )

    with pytest.raises(Misconfigured, match=refused):
        DockerBackups(own).restore_at(NOON, into, "run-1")
