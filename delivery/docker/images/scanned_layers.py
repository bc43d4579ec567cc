"""What the scanner knows of an image's layers, kept so that the next release's scan looks into new layers alone."""

import contextlib
from pathlib import Path
from tempfile import NamedTemporaryFile

MOST_BYTES = 16 * 1024 * 1024  # layers nobody has any more are never taken out, so a full one begins anew


class ScannedLayers:
    """The scanner's own record of layers, for one image of one application and one kind of report.

    Trivy finds a layer in it by its digest, by the versions of what looks into it and by how it was asked to look
    (https://trivy.dev/docs/latest/configuration/cache/); what is known of vulnerabilities is not part of it. Each scan
    has a copy, since Trivy opens the file for itself alone; of two at once the later one's is kept.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def content(self) -> bytes:
        """Return the record, empty when there is none."""
        with contextlib.suppress(FileNotFoundError):
            return self._path.read_bytes()
        return b""

    def keep(self, content: bytes) -> None:
        """Keep it for the next scan, unless it grew too large; nobody but its owner may read it.

        Lines beside a secret are in it, and Trivy masks only what its rule knows.
        """
        if len(content) > MOST_BYTES:
            self.forget()
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=self._path.parent, prefix=".", delete=False) as beside:
            beside.write(content)
        Path(beside.name).replace(self._path)

    def forget(self) -> None:
        """Let the next scan look into every layer."""
        self._path.unlink(missing_ok=True)
