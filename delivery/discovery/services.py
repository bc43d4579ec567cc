"""The application's services: what runs in which image, how it is started, asked and stopped."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from delivery.discovery.compose_services import ComposeService
from delivery.discovery.dockerfiles import environment, last_of, started_as
from delivery.discovery.draft import Draft, name_of
from delivery.discovery.environment import Surroundings, Variables, translate
from delivery.discovery.folders import below, is_folder
from delivery.discovery.health import HealthQuestion, health_question
from delivery.discovery.images import ImageDraft
from delivery.discovery.interpolation import unknown_variables, without_unknown
from delivery.discovery.ports import guess_port
from delivery.model import FOLDER_PATTERN

MOST_INSTANCES, LONGEST_STOP_SECONDS, LONGEST_START_SECONDS = 20, 600, 1800
USUAL_STOP_SECONDS, USUAL_START_SECONDS = 15, 60
_DEVELOPMENT = re.compile(
    r"\b(npm|yarn|pnpm|bun)\s+(run\s+)?(dev|start:dev|start:debug|watch|develop|serve:dev)\b|\bnodemon\b"
    r"|\bts-node-dev\b|--reload\b"
    r"|\btsx\s+watch\b|\bnext\s+dev\b|\bvite\b(?!\s+(build|preview))|\bflask\b.*--debug\b|\brunserver(_plus)?\b"
    r"|\bng\s+serve\b|--watch\b"
    r"|\bwebpack\s+serve\b|\bwatchmedo\b|\bdebugpy\b|\bdlv\b|\bair\b|sleep\s+infinity|tail\s+-[fF]\s+/dev/null"
    r"|\breact-scripts\s+start\b"
)
MODES = re.compile(r"^(NODE_ENV|RAILS_ENV|RACK_ENV|FLASK_ENV|APP_ENV|MIX_ENV|ASPNETCORE_ENVIRONMENT|DJANGO_ENV)$")
# Folders that a build fills: what each release brings anew.
_BROUGHT = re.compile(r"node_modules|static|assets|venv\b|\bvendor\b|\b(dist|build|public|target)\b|/(usr|etc)/")
_PASSING_ON = re.compile(
    r"(^|/)(tini|dumb-init|docker-init|catatonit|gosu|su-exec|sh|bash|docker-entrypoint\.sh|docker-php-entrypoint"
    r"|env|exec)$"
)


@dataclass
class Part:
    """A service on its way into the file."""

    name: str
    image: ImageDraft
    described: ComposeService | None = None
    content: dict[str, Any] = field(default_factory=dict)
    variables: Variables = field(default_factory=Variables)

    @property
    def is_public(self) -> bool:
        """Whether its Compose file lets others than the application reach it."""
        return self.described is None or bool(self.described.published)


@dataclass(frozen=True)
class Neighbours:
    """What the services of a Compose file are called under Headway; the database and what is left out are not there."""

    file: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


def describe(part: Part, others: list[Part], around: Surroundings, beside: Neighbours, draft: Draft) -> None:
    """Fill the keys of `services.NAME` from what its Dockerfile and its Compose service say."""
    service, content = part.described, part.content
    part.variables = translate(service.environment, around) if service else Variables()
    if part.image.name != part.name:
        content["image"] = part.image.name
    if service and (command := _command(part, service, beside.file, draft)):
        content["command"] = command
    shares = any(other.image is part.image for other in others if other is not part)
    guessed = guess_port(part.image, service, shares, part.variables.env, beside.file)
    if guessed:
        content["port"] = guessed.port
        draft.guess(f"{part.name} listens on {guessed.port}, which {guessed.why}")
        _add_health(part, draft)
    else:
        draft.guess(f"{part.name} is a worker without traffic: nothing names a port")
        _switch_check_off(part, draft)
    if service:
        _add_numbers(part, service, draft)
        _add_variables(part, service, beside, draft)
        if needs := [beside.names[name] for name in service.needs if name in beside.names]:
            content["needs"] = list(dict.fromkeys(needs))
        _add_volumes(part, service, beside.file, draft)
        _say_what_is_lost(part, service, beside.file, draft)


def _command(part: Part, service: ComposeService, file: str, draft: Draft) -> list[str] | None:
    """Return the command that replaces the image's own: Headway keeps the image's entry point, as `command` does."""
    entrypoint, own = started_as(part.image.instructions)
    words, said = service.words, f"{part.name}: {_shown(service.words)} in {file}"
    if not words:
        return None
    if _DEVELOPMENT.search(" ".join(words)) and (own or entrypoint):
        draft.guess(f"{said} is for development: the image's own command is taken, {_shown([*entrypoint, *own])}")
        return None
    if unknown := [name for one in words for name in unknown_variables(one)]:
        draft.decide(
            f"{said} names variables without a value: {', '.join(unknown)}; correct services.{part.name}.command"
        )
    words = [without_unknown(one) for one in words]
    if service.entrypoint is not None and entrypoint and not _PASSING_ON.search(entrypoint[0]):
        draft.decide(
            f"{said} replaces the image's ENTRYPOINT {_shown(entrypoint)}, which Headway cannot: make it the CMD"
        )
    if service.working_folder:
        return ["sh", "-c", f"cd {shlex.quote(service.working_folder)} && exec {shlex.join(words)}"]
    return words


def _add_health(part: Part, draft: Draft) -> None:
    port = part.content["port"]
    asked, where = _question(part)
    if asked is None:
        return
    if asked.port not in (None, port):
        draft.guess(f"{part.name} is ready when its port accepts: the check in {where} asks port {asked.port}")
    elif asked.path == "/":
        draft.guess(f"{part.name} is ready when its port accepts: the check in {where} asks /, which may redirect")
    else:
        part.content["health"] = asked.path
        draft.guess(f"{part.name} is ready when {asked.path} answers 2xx, as the check in {where} asks")


def _switch_check_off(part: Part, draft: Draft) -> None:
    """Switch off what a worker's image brings along: a check that asks a web server."""
    asked, where = _question(part)
    if asked and where == part.image.path.name:
        part.content["health"] = "none"
        draft.guess(
            f"{part.name} takes no requests: the HEALTHCHECK in {where}, which asks for {asked.path}, is switched off"
        )


def _question(part: Part) -> tuple[HealthQuestion | None, str]:
    """Return what the Compose file's check asks, else that of the Dockerfile."""
    context, variables = part.image.build.context, environment(part.image.instructions)
    variables |= part.variables.env
    if part.described and part.described.check:
        return health_question(part.described.check, variables, context), "the Compose file"
    check = last_of(part.image.instructions, "HEALTHCHECK")
    if check is None or not check.value.upper().startswith("CMD"):
        return None, ""
    rest = check.value[3:].strip()
    words = type(check)("CMD", rest).words() if rest.startswith("[") else [rest]
    return health_question(words, variables, context), part.image.path.name


def _add_numbers(part: Part, service: ComposeService, draft: Draft) -> None:
    content = part.content
    if service.replicas is not None and service.replicas != 1:
        content["instances"] = min(max(service.replicas, 1), MOST_INSTANCES)
        if content["instances"] != service.replicas:
            draft.guess(f"{part.name} runs {content['instances']} times: {service.replicas} is not possible")
    if service.stop_seconds is not None and round(service.stop_seconds) != USUAL_STOP_SECONDS:
        content["stop_seconds"] = min(round(service.stop_seconds), LONGEST_STOP_SECONDS)
    if service.start_period_seconds and service.start_period_seconds >= USUAL_START_SECONDS:
        content["start_seconds"] = min(round(service.start_period_seconds) + USUAL_START_SECONDS, LONGEST_START_SECONDS)


def _add_variables(part: Part, service: ComposeService, beside: Neighbours, draft: Draft) -> None:
    env, said = dict(part.variables.env), f"{part.name} in {beside.file}"
    for key in [
        key
        for key, value in env.items()
        if MODES.match(key) and value.lower() in ("development", "dev", "local", "test")
    ]:
        draft.guess(f"{said}: {key}={env[key]} is for development and was left to the image")
        env.pop(key)
    for key, text in env.items():
        for host in re.split(r"[/:@,?]+", text):
            if host in beside.left_out:
                draft.decide(f"{key} of {part.name} names {host}, which is left out: say what takes its place")
        if key.endswith("ALLOWED_HOSTS") and "*" not in text and "port" in part.content:
            draft.decide(f"{key} of {part.name} must let in the host `headway`, by which a release is asked")
        if key.endswith("DEBUG") and text.lower() in ("1", "true", "on", "yes"):
            draft.decide(f"{key} of {part.name} is {text} in {beside.file}: is it meant for production?")
    if env:
        part.content["env"] = env
    if part.variables.unknown:
        names = ", ".join(part.variables.unknown)
        draft.decide(
            f"{said} does not say the value of {names}: write it under services.{part.name}.env where it is needed"
        )
    for key in part.variables.of_this_machine:
        draft.decide(f"{key} of {part.name} names localhost: say where users will find it")
    for name in service.env_files:
        draft.decide(
            f"{said} reads {name}, which is not in the repository: write its variables under services.{part.name}.env"
        )


def _add_volumes(part: Part, service: ComposeService, file: str, draft: Draft) -> None:
    """Keep what the Compose file keeps in named volumes, but for what each release brings anew."""
    volumes: dict[str, str] = {}
    for mount in service.mounts:
        if mount.kind != "volume" or not mount.source:
            continue
        said, target = f"{part.name} in {file} keeps {mount.target} in a volume", mount.target.rstrip("/")
        if _BROUGHT.search(f"{mount.source}:{target}"):
            draft.leave_out(f"{said}: what the image brings there is new with each release, and a volume keeps the old")
        elif re.match(FOLDER_PATTERN, target) and target not in volumes.values():
            volumes[name_of(mount.source)] = target
        else:
            draft.leave_out(f"{said}, which is no folder that can be kept")
    if volumes:
        part.content["volumes"] = volumes
        draft.guess(f"{part.name} keeps {', '.join(volumes.values())} across releases: volumes are in no backup")


def _say_what_is_lost(part: Part, service: ComposeService, file: str, draft: Draft) -> None:
    """Say what the Compose file asks for and a release does not have."""
    said = f"{part.name} in {file}"
    if service.binds:
        context = part.image.build.context
        shown = ", ".join(dict.fromkeys(mount.source for mount in service.binds))
        is_source = all(_is_source(mount.source, context) for mount in service.binds)
        why = "the image has its own copy" if is_source else "what a release needs must be in its image"
        draft.leave_out(f"{said} mounts {shown} from the machine: {why}")
    if service.special:
        draft.leave_out(f"{said} asks for {', '.join(service.special)}, which a release does not get")


def _is_source(source: str, context: Any) -> bool:
    return source in (".", "./", "..", "../") or (
        below(context / source, context) is not None and is_folder(context / source)
    )


def _shown(words: list[str]) -> str:
    text = without_unknown(shlex.join(words)).replace("\n", " ")
    return f"`{text if len(text) <= 70 else f'{text[:67]}…'}`"
