"""`headway up` and `headway down`: the platform of this machine."""

import os
import time
from typing import Annotated

import typer

from cli.output import AsJson, print_model, say, seconds, warn
from cli.session import orchestrator, running
from cli.shown import PlatformUp, UiLink
from delivery.full_disk import check_home
from delivery.home import Home
from delivery.platform.local_aws import LocalAws
from delivery.platform.orchestrator import REGISTRY_SETTING, Orchestrator
from delivery.platform.receiver_daemon import ensure_receiver
from delivery.state import check_state, open_registry


def up(
    as_json: AsJson = False,
    aws: Annotated[
        bool, typer.Option("--aws", help="A local AWS as well, to try things on without an account.")
    ] = False,
) -> None:
    """Bring up Docker, registry, Prefect server with its UI, worker and keeper; environments go on where they were.

    Where PREFECT_API_URL is set, no server is started and that one is used.
    """
    found = bring_up(quiet=as_json, aws=aws)
    local = LocalAws(found.home)
    if as_json:
        aws_here = dict(local.environment()) if local.is_up else {}
        print_model(PlatformUp(ui=found.url, api=found.api, home=str(found.home.root), aws=aws_here))
        return
    say(f"Prefect UI      {found.url}")
    if found.elsewhere:
        say(f"Prefect API     {found.api}, which PREFECT_API_URL names")
    else:
        say("its key         headway ui")
        say(
            f"by hand         export PREFECT_API_URL={found.api} PREFECT_API_AUTH_STRING=$(cat {found.home.server_key})"
        )
    if local.is_up:
        say(f"local AWS       {local.url}")
        say(f"by hand         export {' '.join(f'{name}={value}' for name, value in local.environment().items())}")


def ui(as_json: AsJson = False) -> None:
    """Print the link of the Prefect UI and the key it asks for: paste it there once, the browser keeps it."""
    found = running()
    key = None if found.elsewhere else found.key.get_secret_value()
    if as_json:
        print_model(UiLink(ui=found.url, key=key))
        return
    say(f"link   {found.url}")
    say(f"key    {key}" if key else f"key    as {found.api} asks for; PREFECT_API_URL names that server")


def bring_up(*, quiet: bool = False, aws: bool = False) -> Orchestrator:
    """Make sure everything of the platform runs, saying what took how long."""
    from cli.registration import register
    from delivery.docker.images.registry import ensure_registry
    from delivery.docker.target.lifecycle import resume_environments
    from delivery.platform.engine import ensure_engine

    home = Home.current()
    check_home(home)

    def did(what: str, started: float) -> None:
        if not quiet and time.monotonic() - started > 0.5:
            say(f"  ✓ {what:<34} {seconds(time.monotonic() - started)}", "green")

    prefect = orchestrator()
    prefect.check()
    if prefect.elsewhere and not quiet:
        say(f"  Prefect server {prefect.api} (PREFECT_API_URL)")
    began = time.monotonic()
    engine = ensure_engine()
    did(f"Docker {engine.version}", began)
    _bring_up_aws(LocalAws(home), asked=aws)
    check_state(home)
    images = _other_registry(quiet=quiet)
    prefect.launch_server()  # it takes its time, in which the registry starts
    began = time.monotonic()
    registry = ensure_registry(home)
    did(f"registry {registry.address}", began)
    for news in registry.news:
        warn(news)
    began = time.monotonic()
    prefect.start_server()
    did("Prefect server", began)
    began = time.monotonic()
    register(prefect, images or registry.address)
    prefect.join()
    prefect.start_worker()
    ensure_receiver(prefect)
    did("blocks, deployments, worker", began)
    began = time.monotonic()
    resumed = resume_environments(home, tell=lambda problem: warn(f"  ! {problem}"))
    did(f"environments: {', '.join(resumed)}", began)
    home.up.touch()
    prefect.start_keeper()
    return prefect


def _bring_up_aws(local: LocalAws, *, asked: bool) -> None:
    """Start the local AWS where it is wanted: before the worker, whose runs are told where it is."""
    if asked or local.is_up:
        local.start()
        os.environ.update(local.environment())


def _other_registry(*, quiet: bool) -> str | None:
    """Return where images shall be instead of in the platform's own registry; Misconfigured when that cannot be."""
    named = os.environ.get(REGISTRY_SETTING)
    if named:
        address = open_registry(named).address()
        if not quiet:
            say(f"  images in {address} ({REGISTRY_SETTING})")
    return named


def down(
    purge: Annotated[bool, typer.Option(help="Remove environments, databases, registry and state as well.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --purge: do not ask.")] = False,
) -> None:
    """Stop everything `headway up` started; the state stays for the next `up`."""
    from cli.purge import purge as purge_after_asking
    from delivery.platform.shutdown import stop_platform

    if purge:
        purge_after_asking(Home.current(), yes=yes)
        return
    stopped = stop_platform(Home.current())
    say(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
