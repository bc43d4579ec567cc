"""`headway hooks`: who may tell this platform what happened elsewhere, and the receiver that listens to them."""

import logging
import re
import sys
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from pydantic import SecretStr

from cli.output import AsJson, print_model, print_table, say, warn
from cli.project import find_folder
from cli.session import orchestrator, running
from cli.shown import ConnectionMade, ConnectionsKept
from delivery.errors import Misconfigured
from delivery.home import Home
from delivery.hooks.arrival import Source
from delivery.hooks.connections import Connection, Connections
from delivery.hooks.sns import is_topic
from delivery.hooks.spool import Spool
from delivery.model import NAME_PATTERN
from delivery.platform.receiver_daemon import receiver_daemon, restart_receiver
from delivery.programs import git
from delivery.programs.repositories import is_address, likely_name
from delivery.spec.app import App
from delivery.spec.configuration import FILE, load_app
from delivery.spec.repository import Repository

hooks = typer.Typer(no_args_is_help=True, help="Start deliveries by what happens elsewhere: pushes, alarms, images.")
Name = Annotated[str, typer.Argument(help="Of the connection.")]


@hooks.command("connect")
def connect(
    source: Annotated[Source, typer.Argument(help="Who sends: github, aws (through SNS), or an image registry.")],
    project: Annotated[
        str | None, typer.Option(help="Address of the repository (ADDRESS#FOLDER), or folder; none: this folder.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the connection; none: the application's.")] = None,
    topic: Annotated[list[str] | None, typer.Option(help="aws: ARN of a topic that is believed.")] = None,
    environment: Annotated[str, typer.Option(help="aws: whose alarms these are; none: they take nothing back.")] = "",
    alarm: Annotated[list[str] | None, typer.Option(help="aws: pattern of alarms that count; none: all.")] = None,
    within_minutes: Annotated[int, typer.Option(min=1, max=10080, help="aws: how long after a release.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Let a sender tell this platform what happens; what it has to be given is printed. Again: it is changed."""
    prefect = running()
    about = _project(project, named=source == "aws" and bool(environment))
    called = name or (about.app if source == "github" else f"{about.app}-{source}")
    if not re.fullmatch(NAME_PATTERN, called):
        raise Misconfigured("--name", repr(called), "lower-case letters, digits, dashes, at most 39")
    made = Connection(
        name=called,
        source=source,
        app=about.app,
        project=_address(about) if source == "github" else about.address,
        repository=_full_name(about.address) if source == "github" else "",
        topics=_topics(source, topic or []),
        environment=environment,
        alarms=tuple(alarm or ()),
        within_minutes=within_minutes,
    )
    if environment and about.environments and environment not in about.environments:
        raise Misconfigured("--environment", environment, ", ".join(about.environments))
    connections = Connections(prefect.home)
    if (before := connections.find(called)) and before.source != source:
        raise Misconfigured(f"connection {called}", f"is there, for {before.source}", next_step="--name another one")
    if about.repository and about.repository.secrets:
        _give_access(about.address.partition("#")[0], about.repository)
    connections.keep(made)
    restart_receiver(prefect)
    if as_json:
        print_model(_shown(connections, made))
        return
    say(f"connected: {called}", "green")
    _explain(connections, made)


@hooks.command("disconnect")
def disconnect(name: Name) -> None:
    """Take from a sender that it may tell anything; its secret is removed."""
    connections = Connections(Home.current())
    if not connections.remove(name):
        warn(f"there is no connection {name}")
        return
    restart_receiver(orchestrator())
    say(f"disconnected: {name}", "green")


@hooks.command("list")
def list_connections(as_json: AsJson = False) -> None:
    """Show who may tell what, where the receiver listens, and how much is not taken up yet."""
    home = Home.current()
    connections = Connections(home)
    spool = Spool.of(home)
    counts, runs = spool.counts(), receiver_daemon(home).process() is not None
    spool.close()
    where = connections.listening
    if as_json:
        told = tuple(_shown(connections, one) for one in connections)
        print_model(ConnectionsKept(listening=where, runs=runs, arrivals=counts, connections=told))
        return
    say(f"receiver   {'listens' if runs else 'does not run'} on {where.host}:{where.port}")
    say(f"arrivals   {counts.waiting} waiting, {counts.told} told, {counts.taken} taken up, {counts.refused} refused")
    rows = [(one.name, one.source, one.project, one.environment, _url(connections, one)) for one in connections]
    print_table(["connection", "from", "project", "environment", "URL"], rows)


@hooks.command("secret")
def secret(
    name: Name,
    new: Annotated[bool, typer.Option(help="Make another one: the old one proves nothing any more.")] = False,
    given: Annotated[bool, typer.Option("--set", help="Take it from standard input.")] = False,
) -> None:
    """Print what the sender has to sign with, or to send along; `--new` or `--set` change it first."""
    connections = Connections(Home.current())
    if connections.find(name) is None:
        raise Misconfigured(f"connection {name}", "there is none", next_step="headway hooks list")
    if given or new:
        connections.renew(name, _given() if given else None)
    if given:
        say(f"set: the secret of {name}", "green")
        return
    found = connections.secret(name)
    print(found.get_secret_value() if found else "")


@hooks.command("listen")
def listen(
    host: Annotated[str | None, typer.Option(help="Address of this machine; 127.0.0.1: this machine alone.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port.")] = None,
) -> None:
    """Make the receiver listen elsewhere; it is started again there."""
    connections = Connections(Home.current())
    changed = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    where = connections.listening.model_copy(update=changed)
    connections.listen(where)
    restart_receiver(orchestrator())
    say(f"listening on {where.host}:{where.port}", "green")
    if where.host not in ("127.0.0.1", "::1", "localhost"):
        warn("it speaks HTTP: put a proxy with HTTPS before it, or what is sent can be read on the way")


@hooks.command("serve")
def serve_here() -> None:
    """Receive in the foreground until it is interrupted. The platform does so by itself once something is connected."""
    from delivery.platform.receiving import serve  # slow to import

    orchestrator()
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING, stream=sys.stderr)
    home = Home.current()
    serve(home, Connections(home).listening)


def _give_access(address: str, repository: Repository) -> None:
    from flows.repositories import give_access

    give_access(address, repository)


def _described(address: str) -> App:
    from flows.repositories import described

    return described(address)


class _About(NamedTuple):
    """An application, as the address or the folder that was given tells it."""

    app: str
    address: str = ""
    repository: Repository | None = None
    environments: tuple[str, ...] = ()


def _project(given: str | None, *, named: bool) -> _About:
    """Return what is known of a project: of a folder headway.yaml is read, of an address its name is guessed.

    Of an address that one as well is fetched and read when the application has to be `named`, as releases are.
    """
    if given and is_address(given):
        if named:
            app = _described(given)
            return _About(app.app, given, environments=tuple(app.environments))
        return _About(likely_name(given.partition("#")[2] or given), given)
    folder = find_folder(Path(given) if given else None).resolve()
    app = load_app(folder / FILE)
    if app.repository is None or app.repository.url is None:
        return _About(app.app, environments=tuple(app.environments))
    below = folder.relative_to(git.top_level(folder)).as_posix()
    address = app.repository.url + (f"#{below}" if below != "." else "")
    return _About(app.app, address, app.repository, tuple(app.environments))


def _address(about: _About) -> str:
    if not about.address:
        raise Misconfigured("headway.yaml: repository.url", "is missing", "the address that commits are fetched from")
    return about.address


def _topics(source: Source, given: list[str]) -> tuple[str, ...]:
    if source != "aws":
        return ()
    if not given:
        raise Misconfigured("--topic", "not given", "the ARN of the topic: anybody may have one, and sign by SNS")
    for arn in given:
        if not is_topic(arn):
            raise Misconfigured("--topic", arn, "arn:aws:sns:REGION:ACCOUNT:NAME")
    return tuple(given)


def _full_name(address: str) -> str:
    """Return what GitHub calls the repository at an address, empty for a folder."""
    if not is_address(address):
        return ""
    parts = re.split(r"[/:]", address.partition("#")[0].removesuffix("/").removesuffix(".git"))
    return "/".join(parts[-2:])


def _url(connections: Connections, one: Connection) -> str:
    where = connections.listening
    return f"http://{where.host}:{where.port}/{one.source}/{one.name}"


def _shown(connections: Connections, one: Connection) -> ConnectionMade:
    return ConnectionMade.model_validate(dict(one) | {"url": _url(connections, one)})


def _explain(connections: Connections, one: Connection) -> None:
    say(f"URL           {_url(connections, one)}, or what leads there from outside")
    if one.source == "github":
        say("content type  application/json")
        say("events        pushes, pull requests, releases, workflow runs")
    if one.source == "aws":
        say("protocol      https; raw message delivery off. The subscription is confirmed by itself")
        return
    say(f"secret        headway hooks secret {one.name}")


def _given() -> SecretStr:
    if sys.stdin.isatty():
        return SecretStr(typer.prompt("Secret", hide_input=True, confirmation_prompt=True, err=True))
    text = re.sub(r"\r?\n\Z", "", sys.stdin.read())
    if len(text) < 16:
        raise Misconfigured("headway hooks secret --set", "it is short", "at least 16 characters on standard input")
    return SecretStr(text)
