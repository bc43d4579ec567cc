"""A Compose file taken apart: the application, its database, what is kept beside it, run once, or left out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from delivery.discovery.compose_files import ComposeFile
from delivery.discovery.compose_services import ComposeService, services_of
from delivery.discovery.contents import copies
from delivery.discovery.draft import Draft, free_name, name_of
from delivery.discovery.images import ImageDraft, from_compose
from delivery.discovery.roles import WORDS, image_name, role_of
from delivery.discovery.services import Part

_SERVER_BASES = re.compile(r"^(nginx|nginx-unprivileged|httpd|caddy|traefik|haproxy|openresty|envoy)$")
_CONFIGURATION = re.compile(
    r"\.(conf|template|tmpl|toml|ya?ml|cfg|sh|pem|crt|key|htpasswd)$|^\.?(nginx|conf|conf\.d|templates|certs|ssl"
    r"|Caddyfile|haproxy)$|Caddyfile"
)


@dataclass
class Composition:
    """What the services of a Compose file are there for."""

    file: ComposeFile
    services: Mapping[str, ComposeService]
    parts: list[Part] = field(default_factory=list)
    database: tuple[ComposeService, str] | None = None  # with the image of its server
    backing: list[ComposeService] = field(default_factory=list)
    migrations: list[tuple[ComposeService, ImageDraft | None]] = field(default_factory=list)
    tests: list[ComposeService] = field(default_factory=list)
    proxies: list[Path] = field(default_factory=list)  # their configuration
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def images(self) -> list[ImageDraft]:
        """The images that services run, each once."""
        return list({id(part.image): part.image for part in self.parts}.values())


def take_apart(root: Path, file: ComposeFile, built: list[ImageDraft], draft: Draft) -> Composition:
    """Return what each service is there for; `built` are the images of Dockerfiles, for services that build nothing."""
    services = services_of(file, root)
    found = Composition(file, services)
    roles = {name: role_of(service, services) for name, service in services.items()}
    for name, service in services.items():
        if roles[name] == "application" and (image := from_compose(root, file, service, draft)):
            _add_built(found, service, image, draft)
    for name, service in services.items():
        _sort(found, service, roles[name], root, built, draft)
    return found


def _add_built(found: Composition, service: ComposeService, image: ImageDraft, draft: Draft) -> None:
    """Add a service that is built, unless what it builds is a server of its own with a configuration."""
    base = image.file.base(image.stage) if image.stage else ""
    if re.match(r"^(postgres|postgis|pgvector|timescaledb(-ha)?)$", image_name(base)):
        found.database = found.database or (service, base)
        draft.guess(f"{service.name} builds upon {base}: the database runs that image, what is added to it is left out")
    elif _SERVER_BASES.match(image_name(base)) and _holds_configuration_only(image):
        _leave_out(found, service, "proxy", draft)
        found.proxies.append(image.path.parent)
    else:
        same = next((one for one in found.images if one.is_same(image)), None)
        name = free_name(service.name, {part.name for part in found.parts})
        if same is None:
            image.name = free_name(service.name, {one.name for one in found.images})
        found.parts.append(Part(name, same or image, service))


def _holds_configuration_only(image: ImageDraft) -> bool:
    if image.stage is None:
        return False
    brought = [copy for _, copy in copies(image.file, image.stage)]
    return bool(brought) and all(
        not copy.origin and all(_CONFIGURATION.search(source.rpartition("/")[2]) for source in copy.sources)
        for copy in brought
    )


def _sort(
    found: Composition, service: ComposeService, role: str, root: Path, built: list[ImageDraft], draft: Draft
) -> None:
    if role == "application":
        return
    if role in ("backing", "once") and (image := _own_image(found, service, built)):
        name = free_name(service.name, {part.name for part in found.parts})
        if all(one is not image for one in found.images):
            image.name = free_name(service.name, {one.name for one in found.images})
        found.parts.append(Part(name, image, service))
        draft.guess(
            f"{service.name} in {found.file.names} runs {service.image}, which is built from {image.path.name} here"
        )
    elif role == "database" and found.database is None:
        found.database = (service, service.image)
    elif role == "database":
        _leave_out(found, service, "database", draft)
    elif role == "migration":
        own = from_compose(root, found.file, service, draft) if service.build else _own_image(found, service, built)
        found.migrations.append((service, own))
    elif role == "tests":
        found.tests.append(service)
    elif role == "backing":
        found.backing.append(service)
    else:
        _leave_out(found, service, role, draft)
        if role == "proxy":
            found.proxies += [found.file.folder / mount.source for mount in service.binds]


def _own_image(found: Composition, service: ComposeService, built: list[ImageDraft]) -> ImageDraft | None:
    """Return the image of this repository that a service names instead of building it."""
    for part in found.parts:
        if part.described and service.image and part.described.image == service.image:
            return part.image
    names = {name_of(service.name), name_of(image_name(service.image))}
    named = next((image for image in built if name_of(image.name) in names), None)
    if named or found.parts or len(built) != 1:
        return named
    repository = service.image.partition("@")[0]
    own = {
        name_of(built[0].build.context.name),
        name_of(built[0].path.parent.name),
        "app",
        "web",
        "server",
        "api",
        "backend",
    }
    return built[0] if "/" in repository and names & own else None


def _leave_out(found: Composition, service: ComposeService, role: str, draft: Draft) -> None:
    words = WORDS.get(role, "one database is enough: it has one already")
    found.left_out[service.name] = role
    for name in service.other_names:
        found.left_out[name] = role
    why = words.format(profiles=", ".join(service.profiles), image=service.image)
    draft.leave_out(f"{service.name} in {found.file.names}: {why}")
