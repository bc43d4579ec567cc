"""What tests ask to be built."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from delivery.ports.builder import BuildRequest
from delivery.releases.release import Revision
from delivery.spec.images import Image

REVISION = Revision(
    sha="ab" * 20, tree="cd" * 20, subject="Open", author="Ada", committed=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
)


def requested(source: Path, image: Image | None = None, **more: Any) -> BuildRequest:
    """Return a request for the image `web` of `source`, with `more` of its own."""
    asked = {"name": "web", "key": "images.web", "repository": "shop/web", "run": "test", "revision": REVISION}
    return BuildRequest(source=source, image=image or Image(), **asked | more)
