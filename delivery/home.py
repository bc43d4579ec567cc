"""Where this platform keeps what it must find again: one folder, named by HEADWAY_HOME.

What platforms on several machines may share lies in the folder that HEADWAY_STORE names, where it names one.
"""

import contextlib
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """The platform's folder; `identity` marks everything it starts, so that two platforms never meet."""

    root: Path
    shared: Path | None = None

    @classmethod
    def current(cls) -> "Home":
        """Return the folder HEADWAY_HOME names, or ~/.headway, and what HEADWAY_STORE names."""
        shared = os.environ.get("HEADWAY_STORE")
        root = Path(os.environ.get("HEADWAY_HOME") or Path.home() / ".headway")
        return cls(root.resolve(), Path(shared).resolve() if shared else None)

    @property
    def identity(self) -> str:
        """Six hex digits, made once and kept."""
        path = self.root / "identity"
        if not path.exists():
            self.root.mkdir(parents=True, exist_ok=True)
            # Linked when it is whole, so that nobody reads half of it; whoever was first stays.
            with tempfile.NamedTemporaryFile("w", dir=self.root, prefix="identity-") as file:
                file.write(secrets.token_hex(3))
                file.flush()
                with contextlib.suppress(FileExistsError):
                    path.hardlink_to(file.name)
        return path.read_text().strip()

    @property
    def state(self) -> Path:
        """The folder of what platforms may share: artifact store, leases, heartbeats."""
        return self.shared or self.root

    @property
    def store(self) -> Path:
        """The artifact store's folder."""
        return self.state / "store"

    @property
    def results(self) -> Path:
        """What the steps of runs returned."""
        return self.root / "results"

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
