"""Where this platform keeps what it must find again: one folder, named by HEADWAY_HOME.

What platforms on several machines may share lies where HEADWAY_STORE says, where it says something: in a folder, or in
a bucket of S3, which holds the artifact store, the leases and what steps returned.
"""

import contextlib
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

PRIVATE = 0o700
LOCK_SETTING = "HEADWAY_STORE_LOCK"


@dataclass(frozen=True)
class Home:
    """The platform's folder; `identity` marks everything it starts, so that two platforms never meet."""

    root: Path
    shared: Path | None = None
    bucket: str | None = None  # s3://BUCKET/PREFIX
    lock: str = ""  # MODE:DAYS, for which nothing in the artifact store can be removed

    @classmethod
    def current(cls) -> "Home":
        """Return the folder HEADWAY_HOME names, or ~/.headway, and what HEADWAY_STORE and HEADWAY_STORE_LOCK say."""
        shared, lock = os.environ.get("HEADWAY_STORE"), os.environ.get(LOCK_SETTING, "")
        root = Path(os.environ.get("HEADWAY_HOME") or Path.home() / ".headway").resolve()
        if shared and "://" in shared:
            return cls(root, bucket=shared.rstrip("/"), lock=lock)
        return cls(root, Path(shared).resolve() if shared else None, lock=lock)

    @property
    def identity(self) -> str:
        """Six hex digits, made once and kept."""
        return self._made_once(self.root / "identity", secrets.token_hex(3))

    @property
    def server_key(self) -> Path:
        """The file with `user:password` of this platform's own Prefect server."""
        return self.root / "keys" / "server"

    @property
    def registry_key(self) -> Path:
        """The file with `user:password` of this platform's own registry."""
        return self.root / "keys" / "registry"

    @property
    def plan_key(self) -> Path:
        """The file with what plans for infrastructure are encrypted with."""
        return self.root / "keys" / "plans"

    def key(self, path: Path) -> SecretStr:
        """Return `headway:PASSWORD`, made once and kept in a file that its owner alone reads."""
        return SecretStr(self._made_once(path, f"headway:{secrets.token_urlsafe(32)}"))

    def ensure(self) -> None:
        """Make the folder what nobody but its owner looks into."""
        self.root.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        if self.root.stat().st_mode & 0o077 and self.root.stat().st_uid == os.geteuid():
            self.root.chmod(PRIVATE)

    def _made_once(self, path: Path, text: str) -> str:
        """Return what the file holds, `text` when it is made now; whoever was first stays."""
        if not path.exists():
            self.ensure()
            path.parent.mkdir(mode=PRIVATE, exist_ok=True)
            # Linked when it is whole, so that nobody reads half of it. The file is its owner's alone.
            with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f"{path.name}-") as file:
                file.write(text)
                file.flush()
                with contextlib.suppress(FileExistsError):
                    path.hardlink_to(file.name)
        return path.read_text().strip()

    @property
    def state(self) -> Path:
        """The folder of what platforms may share: artifact store, leases, heartbeats."""
        return self.shared or self.root

    @property
    def store_address(self) -> str:
        """Where the artifact store is: the path of its folder, or its place in the bucket."""
        return f"{self.bucket}/store" if self.bucket else str(self.store)

    @property
    def store(self) -> Path:
        """The artifact store's folder."""
        return self.state / "store"

    @property
    def results(self) -> Path:
        """The folder of what the steps of runs returned."""
        return self.state / "results"

    @property
    def results_address(self) -> str:
        """Where that is: the path of its folder, or its place in the bucket."""
        return f"{self.bucket}/results" if self.bucket else str(self.results)

    @property
    def work(self) -> Path:
        """Checked-out sources and build files, one folder a run."""
        return self.root / "work"

    @property
    def cache(self) -> Path:
        """What may be deleted at any time and is made again."""
        return self.root / "cache"

    @property
    def logs(self) -> Path:
        """Logs of server, worker and test cells."""
        return self.root / "logs"

    @property
    def heartbeats(self) -> Path:
        """Which process carries which run, and when it last said so."""
        return self.state / "heartbeats"

    @property
    def leases(self) -> Path:
        """The leases of the environments."""
        return self.state / "leases"

    @property
    def backups(self) -> Path:
        """The backups that are kept, one folder an environment: outside of all environments and their engines."""
        return self.state / "backups"

    @property
    def passwords(self) -> Path:
        """The passwords of the environments' databases, which outlive their containers."""
        return self.root / "passwords"

    @property
    def up(self) -> Path:
        """The file that is there while the platform shall run, from `headway up` to `headway down`."""
        return self.root / "up"

    @property
    def project(self) -> Path:
        """The file that names the folder delivered last."""
        return self.root / "project"
