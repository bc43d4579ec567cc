"""What the archive of a database removes, with the shells of images that have GNU's programs and BusyBox's."""

import secrets

import pytest

from delivery.docker.database.wal_archive import WalArchive
from delivery.docker.engine.client import connect
from delivery.docker.engine.exec_stream import run_in
from delivery.docker.engine.names import EnvironmentNames
from delivery.docker.images.bases import resolve_base
from delivery.home import Home

pytestmark = pytest.mark.docker
ARCHIVE = """
set -e
for system in 111 222 333; do mkdir -p /archive/$system/wal /archive/$system/base; done
echo 333 > /archive/system
touch /archive/111/wal/000000010000000000000001
touch -d 2001-02-03 /archive/222/wal/000000010000000000000001
mkdir /archive/444
"""


@pytest.mark.parametrize("image", ["busybox", "postgres:15-alpine"])
def test_of_lost_databases_what_is_old_goes_and_what_is_young_or_unknown_stays(image):
    client, names = connect(), EnvironmentNames("test", f"shop-{secrets.token_hex(3)}", "production")
    used = resolve_base(image, home=Home.current()).used
    made = client.containers.run(used, ["sleep", "infinity"], entrypoint=[], name=names.archive, user="0", detach=True)
    try:
        assert run_in(made, ["sh", "-c", ARCHIVE], user="0")[0] == 0
        WalArchive(client, names, used).prune(7)
        left = run_in(made, ["sh", "-c", "cd /archive; ls -d [0-9]*"], user="0")[1].split()
    finally:
        made.remove(force=True)

    assert left == ["111", "333", "444"]
