"""The whole way from a folder to a first file: images, services, what is beside them, migrations, suites."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from delivery.discovery.beside import add_backing, database_content
from delivery.discovery.compose_files import find_compose
from delivery.discovery.composition import Composition, take_apart
from delivery.discovery.draft import Draft, free_name, name_of, yaml_line
from delivery.discovery.environment import Surroundings
from delivery.discovery.examples import add_examples, guess_database
from delivery.discovery.folders import below
from delivery.discovery.images import ImageDraft, from_dockerfiles
from delivery.discovery.interpolation import without_unknown
from delivery.discovery.migrations import add_migration
from delivery.discovery.routes import proxied, spread_routes
from delivery.discovery.services import Neighbours, Part, describe
from delivery.discovery.suites import add_suites
from delivery.errors import Misconfigured

GUESSED_PORT = 8080


def discover(folder: Path) -> Draft:
    """Return a first file for the application in `folder`; Misconfigured when there is no Dockerfile."""
    root = folder.resolve()
    draft = Draft({"app": name_of(root.name), "images": {}, "services": {}})
    found, parts = _parts(root, draft)
    if found and (name := without_unknown(str(found.file.document.get("name") or ""))):
        draft.content["app"] = name_of(name)
    after = "folder" if draft.content["app"] == name_of(root.name) else "Compose file"
    draft.guesses.insert(0, f"the application is called {draft.content['app']}, after its {after}")
    _add_services(parts, found, root, draft)
    add_migration(parts, found, root, draft)
    add_suites(parts, found, root, draft)
    draft.content["environments"] = {"production": {}}
    draft.guess("one environment, production, on this Docker host; nobody is asked before a release")
    _say_secrets(parts, draft)
    draft.content = {key: value for key, value in draft.content.items() if value or key == "database"}
    return draft


def _parts(root: Path, draft: Draft) -> tuple[Composition | None, list[Part]]:
    """Return what the Compose file says, and the services: its own, else one for each Dockerfile."""
    file = find_compose(root, draft)
    aside = Draft()
    built = from_dockerfiles(root, aside)
    found = take_apart(root, file, built, draft) if file else None
    if found and found.parts:
        _say_unused(found, built, root, draft)
        return found, found.parts
    draft.guesses += aside.guesses
    draft.left_out += aside.left_out
    if not built:
        raise Misconfigured(
            str(root),
            "no Dockerfile was found, at most three folders deep",
            next_step="Headway releases images: write a Dockerfile for the application first",
        )
    return found, [Part(image.name, image) for image in built]


def _say_unused(found: Composition, built: list[ImageDraft], root: Path, draft: Draft) -> None:
    used = {image.path for image in found.images} | {image.path for _, image in found.migrations if image}
    for image in built:
        if image.path not in used:
            draft.leave_out(f"{below(image.path, root)} is not built: nothing in {found.file.names} runs it")


def _add_services(parts: list[Part], found: Composition | None, root: Path, draft: Draft) -> None:
    images: dict[str, Any] = draft.content["images"]
    for part in parts:
        images.setdefault(part.image.name, part.image.content())
    around, beside = _surroundings(parts, found, draft)
    for part in parts:
        draft.content["services"][part.name] = part.content
        describe(part, parts, around, beside, draft)
    if found is None or found.database is None:
        guess_database(parts, found, root, draft)
    if not (found and any(part.described and part.described.environment for part in parts)):
        add_examples(parts, root, draft)
    _give_one_a_port(parts, draft)
    spread_routes(parts, proxied(found.proxies) if found else {}, draft)


def _surroundings(parts: list[Part], found: Composition | None, draft: Draft) -> tuple[Surroundings, Neighbours]:
    """Add what is kept beside the application, and return what its variables may speak of."""
    if found is None:
        return Surroundings(), Neighbours()
    hosts: list[str] = []
    if found.database:
        service, image = found.database
        draft.content["database"] = database_content(service, found.file, image, draft)
        poolers = [name for name, role in found.left_out.items() if role == "proxy" and "bouncer" in name]
        hosts = [service.name, *service.other_names, *poolers]
    names = _names(parts, found)
    shared = [
        text
        for one in found.backing
        for text in add_backing(one, names[one.name], _only_backing(names, found), found.file, draft)
    ]
    needed = {name: names[name] for name in found.services if name in names}
    return Surroundings(hosts, names, shared), Neighbours(found.file.names, needed, found.left_out)


def _names(parts: list[Part], found: Composition) -> dict[str, str]:
    """Return what hosts of the Compose file are called under Headway."""
    names: dict[str, str] = {}
    for part in parts:
        if part.described:
            names |= dict.fromkeys([part.described.name, *part.described.other_names], part.name)
    taken = {part.name for part in parts} | {"database"}
    for service in found.backing:
        name = free_name(service.name, taken)
        taken.add(name)
        names |= dict.fromkeys([service.name, *service.other_names], name)
    return names


def _only_backing(names: Mapping[str, str], found: Composition) -> dict[str, str]:
    return {service.name: names[service.name] for service in found.backing}


def _give_one_a_port(parts: list[Part], draft: Draft) -> None:
    """Let the first service take requests when nothing tells a port: a release is judged by them."""
    if any("port" in part.content for part in parts):
        return
    first = next(
        (part for part in parts if part.name in ("web", "app", "frontend", "server", "api", "backend")), parts[0]
    )
    first.content["port"] = GUESSED_PORT
    first.content.pop("health", None)  # switched off as a worker's
    first.content["env"] = {"PORT": str(GUESSED_PORT)} | first.content.get("env", {})
    draft.decide(
        f"{first.name} is to listen on {GUESSED_PORT}, which it is told as PORT: one service must take requests; "
        "correct the port"
    )


def _say_secrets(parts: list[Part], draft: Draft) -> None:
    secrets = list(dict.fromkeys(key for part in parts for key in part.variables.secrets))
    if secrets:
        blocks = {key: name_of(f"{draft.content['app']}-{key}") for key in secrets}
        lines = yaml_line({"secrets": blocks}).removeprefix("{").removesuffix("}")
        draft.decide(
            f"{', '.join(secrets)}: secrets, which were not copied. Keep each in a Prefect secret block; write under "
            f"environments.production\n{lines}"
        )
