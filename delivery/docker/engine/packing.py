"""A file on its way into a container: the engine takes files as tar archives alone."""

import io
import tarfile


def packed(name: str, content: bytes, mode: int = 0o644) -> bytes:
    """Return a tar archive with the one file `name`, which belongs to root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), mode
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
