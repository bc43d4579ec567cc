"""What a container printed: kept whole by the engine while it runs, and up to a limit on disk afterwards."""

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from docker.models.containers import Container
from docker.types import LogConfig

from delivery.docker.engine.frames import frames
from delivery.docker.engine.streams import given_back
from delivery.redaction import Redaction

# Else the engine's own settings hold: they may keep the last megabytes alone, or hand logs to where nobody reads them.
ENGINE_MEGABYTES = 512
OPTIONS = {"max-size": f"{ENGINE_MEGABYTES}m", "max-file": "2", "compress": "false"}
LOG_BYTES = 128_000_000
# The engine writes a line as JSON: so much around it, and more for these.
_AROUND_A_LINE, _WIDER = 68, 5
_WIDE = bytes({*range(0x20), *b'<>&"\\'} - {ord("\n")})
_NEARLY = 0.9


def log_config() -> LogConfig:
    """Return how the engine keeps what a container of Headway prints."""
    return LogConfig(type=LogConfig.types.JSON, config=OPTIONS)


def save_log(container: Container, path: Path, hide: Redaction | None = None) -> str:
    """Write what the container printed to `path`, without secrets; return what is missing of it, or nothing.

    Up to LOG_BYTES are kept, above that the first and the last half of so many. The log itself says where something
    is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    size = _Size()
    with given_back(frames(container, follow=False, timestamps=False)) as stream:
        left_out = _write(path, (hide or Redaction()).stream(size.of(frame.data for frame in stream)))
    lost = [f"{left_out / 1e6:.1f} MB in the middle of the log are left out: above {LOG_BYTES / 1e6:.0f} MB"] * (
        left_out > 0
    )
    if size.as_kept >= _NEARLY * ENGINE_MEGABYTES * 1e6:
        lost.append(f"the log may lack its beginning: the engine keeps the last {ENGINE_MEGABYTES} MB at least")
        _note_at_the_end(path, lost[-1])
    return "; ".join(lost)


class _Size:
    """Counts how large a log is in the engine's own file."""

    def __init__(self) -> None:
        self.as_kept = 0

    def of(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            wide = len(chunk) - len(chunk.translate(None, _WIDE))
            self.as_kept += len(chunk) + _WIDER * wide + _AROUND_A_LINE * max(1, chunk.count(b"\n"))
            yield chunk


def _write(path: Path, chunks: Iterable[bytes]) -> int:
    """Write the first and the last half of LOG_BYTES and return how many bytes between them are left out."""
    half = LOG_BYTES // 2
    written = kept = left_out = 0
    end: deque[bytes] = deque()
    with path.open("wb") as file:
        for chunk in chunks:
            if written < half:
                written += file.write(chunk)
                continue
            end.append(chunk)
            kept += len(chunk)
            while kept > half:
                gone = len(end.popleft())
                kept, left_out = kept - gone, left_out + gone
        if left_out:
            file.write(f"\n[headway: {left_out / 1e6:.1f} MB of this log are left out here]\n".encode())
        file.writelines(end)
    return left_out


def _note_at_the_end(path: Path, words: str) -> None:
    with path.open("ab") as file:
        file.write(f"\n[headway: {words}]\n".encode())
