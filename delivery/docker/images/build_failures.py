"""What is said of a build that did not end well."""

from pathlib import Path

from delivery.docker.engine.disk import disk_message, free_bytes
from delivery.errors import Rejected
from delivery.programs import buildkit

UNTRUSTED = (
    "a certificate was not trusted; where a proxy has an authority of its own, name its file in SSL_CERT_FILE or put "
    "it into /usr/local/share/ca-certificates (docs/phases.md, A machine's own authority)"
)


def build_failed(output: str, key: str, log: Path) -> Rejected:
    """Return the refusal of an image that does not build: its step, its last lines, and what may help."""
    if buildkit.says_disk_full(output):
        return Rejected(f"{key}: {disk_message(free_bytes())}\n  full log: {log}")
    step, lines = buildkit.failed_step(output)
    where = f"the build failed in step {step}" if step else "the Dockerfile does not build"
    said = [f"{key}: {where}", *(f"  {line}" for line in lines), f"  full log: {log}"]
    return Rejected("\n".join(said + ([f"  next: {UNTRUSTED}"] if buildkit.says_untrusted(output) else [])))


def engine_died(output: str, key: str, log: Path) -> Rejected:
    """Return the refusal of a build under which the engine ended: done again as it was, it would end it again."""
    step = buildkit.last_step(output)
    return Rejected(
        f"{key}: the Docker engine ended while this was built{f', in step {step}' if step else ''}; it is not built "
        f"again by itself\n  full log: {log}\n  next: `headway up` starts the engine; when it ends a second time, "
        "build this image alone with `docker build` and read the engine's own log"
    )
