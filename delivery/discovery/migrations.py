"""How the database is migrated: as a Compose service does it, else by the tool that lies in the folder."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from delivery.discovery.compose_services import ComposeService
from delivery.discovery.composition import Composition
from delivery.discovery.dockerfiles import Stage, started_as
from delivery.discovery.draft import Draft, free_name, yaml_line
from delivery.discovery.environment import Surroundings, translate
from delivery.discovery.folders import any_file, below, is_folder
from delivery.discovery.images import ImageDraft
from delivery.discovery.interpolation import without_unknown
from delivery.discovery.migration_tools import FoundMigration, migrations_of
from delivery.discovery.running import folder_in, in_folder, python_words, takes_commands
from delivery.discovery.services import Part
from delivery.spec.database import Migration

TAKES_SEVERAL = Migration.model_fields["files"].annotation != (str | None)
_SPRING = "src/main/resources/db"


def add_migration(parts: list[Part], found: Composition | None, root: Path, draft: Draft) -> None:
    """Add `database.migrate`, or say what would have to be there for it."""
    if "database" not in draft.content:
        return
    if found and any(_add_described(found, service, image, parts, root, draft) for service, image in found.migrations):
        return
    images = list({id(part.image): part.image for part in parts}.values())
    missing: list[tuple[FoundMigration, ImageDraft]] = []
    for image in images:
        for project in dict.fromkeys((image.project, image.build.context, *_below(image))):
            for tool in migrations_of(project):
                if _add_found(tool, image, parts, root, draft):
                    return
                missing.append((tool, image))
    for tool, image in missing[:1]:
        _say_missing(tool, image, root, draft)
    if not missing:
        _say_others(images, root, draft)


def _below(image: ImageDraft) -> Iterator[Path]:
    """Yield the folders of a context in which a whole application may lie."""
    for name in ("backend", "server", "api", "app", "src"):
        if is_folder(image.build.context / name):
            yield image.build.context / name


def _add_described(
    found: Composition, service: ComposeService, image: ImageDraft | None, parts: list[Part], root: Path, draft: Draft
) -> bool:
    """Add what a Compose service does that migrates and ends."""
    said = f"{service.name} in {found.file.names}"
    if "migrate" in (draft.content["database"] or {}):
        draft.leave_out(f"{said}: one command migrates already; put both into a script")
        return True
    if service.binds and image is None:
        draft.decide(
            f"{said} migrates with files that are mounted from the machine: make an image that holds them, write it "
            "with its command under database.migrate"
        )
        return False
    images: dict[str, Any] = draft.content["images"]
    if image:
        same = next((part.image for part in parts if part.image is image or part.image.is_same(image)), None)
        name = same.name if same else free_name(service.name, images)
        images.setdefault(name, image.content())
    else:
        name = service.image
    migrate: dict[str, Any] = {"image": name}
    words = [without_unknown(word) for word in service.words]
    if words:
        migrate["command"] = words
    hosts = [found.database[0].name, *found.database[0].other_names] if found.database else []
    variables = translate(service.environment, Surroundings(hosts))
    env = {key: text for key, text in variables.env.items() if (key, text) != ("DATABASE_URL", "${database.url}")}
    if env:
        migrate["env"] = env
    for project in dict.fromkeys((image.project, image.build.context, *_below(image))) if image else ():
        if files := next((tool.files for tool in migrations_of(project) if tool.files), _migrations(project)):
            _add_files(migrate, files, root, draft)
            break
    _write(draft, migrate)
    draft.guess(f"{said} migrates the database: it runs before a release gets traffic, in the image {name}")
    return True


def _add_found(tool: FoundMigration, image: ImageDraft, parts: list[Part], root: Path, draft: Draft) -> bool:
    """Add a tool where a stage of the image can run it: what is released, else another one as an image of its own."""
    build, where = image.build, below(tool.mark, image.build.context)
    able = [
        stage
        for stage in image.file.stages
        if where and build.holds(stage, where) and tool.holds(build, stage) and takes_commands(build, stage)
    ]
    if not able:
        return False
    stage = image.stage if image.stage in able else able[-1]
    if stage is None:
        return False
    name = image.name
    if stage != image.stage:
        name = free_name(f"{image.name}-migrate", draft.content["images"])
        draft.content["images"][name] = image.content(stage.target)
        draft.guess(
            f"{name} is the stage `{stage.target}` of {below(image.path, root)}: what is released lacks the tool"
        )
    migrate: dict[str, Any] = {"image": name, "command": _command(tool, image, stage)}
    variables: dict[str, str] = next((part.content.get("env", {}) for part in parts if part.image is image), {})
    if set(variables) - {"DATABASE_URL", "PORT"}:
        migrate["env"] = {
            key: text for key, text in variables.items() if (key, text) != ("DATABASE_URL", "${database.url}")
        }
    _add_files(migrate, tool.files, root, draft)
    _write(draft, migrate)
    draft.guess(f"{' '.join(tool.command)} in {name} migrates the database: there is {below(tool.mark, root)}")
    if re.search(re.escape(" ".join(tool.command[:2])), " ".join(started_as(image.instructions)[1])):
        draft.guess(f"{image.name} migrates when it starts as well: it finds nothing left to do")
    return True


def _command(tool: FoundMigration, image: ImageDraft, stage: Stage) -> list[str]:
    words = python_words(image.build, stage, tool.command) if tool.python else tool.command
    place = folder_in(image.build, stage, tool.folder, tool.mark, *tool.files)
    return in_folder(words, place, image.build, stage)


def _add_files(migrate: dict[str, Any], folders: tuple[Path, ...], root: Path, draft: Draft) -> None:
    """Name the folders of the migrations: their content is part of a release."""
    paths = [where for folder in folders if (where := below(folder, root)) and is_folder(folder)]
    if len(paths) == 1:
        migrate["files"] = paths[0]
    elif paths and TAKES_SEVERAL:
        migrate["files"] = paths
    elif paths:
        draft.guess(f"migrations lie in {', '.join(paths)}; which of them are new is not part of a release's name")


def _write(draft: Draft, migrate: dict[str, Any]) -> None:
    draft.content["database"] = {**(draft.content["database"] or {}), "migrate": migrate}


def _say_missing(tool: FoundMigration, image: ImageDraft, root: Path, draft: Draft) -> None:
    written = yaml_line({"migrate": {"image": image.name, "command": tool.command}}).removeprefix("{").removesuffix("}")
    draft.decide(
        f"there is {below(tool.mark, root)}, but no stage of {below(image.path, root)} has both it and the program "
        f"`{' '.join(tool.command)}`: the database is not migrated. Put both into an image, and write under database\n"
        f"{written}"
    )


def _migrations(folder: Path) -> tuple[Path, ...]:
    return tuple(
        folder / place for place in ("migrations", "db/migrations", "db/migrate") if is_folder(folder / place)
    )[:1]


def _say_others(images: list[ImageDraft], root: Path, draft: Draft) -> None:
    """Say of migrations whose tool is not known, or that the application runs by itself."""
    for image in images:
        for folder in dict.fromkeys((image.project, image.build.context)):
            if any_file(folder / _SPRING, "V*__*.sql", "*changelog*", depth=3):
                draft.guess(f"{image.name} migrates the database itself: there is {below(folder / _SPRING, root)}")
            elif places := _migrations(folder):
                draft.decide(f"{below(places[0], root)} holds migrations; write under database.migrate what runs them")
