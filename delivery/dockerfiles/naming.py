"""What headway.yaml says of a Dockerfile, held against the Dockerfile: its stage, and the images it starts from."""

from collections.abc import Iterator
from pathlib import Path

from delivery.dockerfiles.reading import Dockerfile, read
from delivery.dockerfiles.variables import NotUnderstood
from delivery.errors import Misconfigured
from delivery.spec.images import Image


def read_for(image: Image, folder: Path, platform: str = "linux/amd64") -> Dockerfile | None:
    """Return the Dockerfile of `image`; none when it is missing, or only the engine understands it.

    Raises Misconfigured for a FROM whose build argument has no value.
    """
    try:
        text = (folder / image.context / image.dockerfile).read_text(encoding="utf-8", errors="surrogateescape")
        return read(text, image.build_args, platform)
    except (OSError, ValueError, NotUnderstood):
        return None


def problems_with(key: str, image: Image, file: Dockerfile) -> Iterator[str]:
    """Yield a line for a `target` that is no stage of the Dockerfile, and for `bases` that it does not start from."""
    try:
        file.bases(image.target)
    except Misconfigured as error:
        yield f"{key}.{'target' if image.target else 'dockerfile'}: {error.found}; allowed: {error.allowed}"
    named = list(images_in(file))
    for unknown in (asked for asked in image.bases if asked not in named):
        yield (
            f"{key}.bases: {unknown} is no image that {image.dockerfile} starts from; "
            f"allowed: {', '.join(named) or 'none, it starts from none'}"
        )


def images_in(file: Dockerfile) -> dict[str, None]:
    """Return the images that any stage may start from or copy from, each once, also of stages that are not built."""
    found: dict[str, None] = {}
    for stage in file.stages:
        if file.parent(stage) is None and stage.image != "scratch":
            found[stage.image] = None
        for source in (*file.sources(stage), *stage.triggers):
            at = file.stage_of(source, stage)
            if at is None or at > stage.index:  # the engine's old builder knows no stage that comes later
                found[source.name] = None
    return found
