"""The verbs of a target as steps: each writes its intent to the journal before its effect."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from blocks.artifact_store import current_store
from blocks.environment import DeliveryEnvironment, block_name
from blocks.registry import current_registry
from delivery import opening
from delivery.changes.archive import Archive, Happening, HistoryEntry
from delivery.changes.journal import Entry, Journal, Verb
from delivery.changes.lease import Lease
from delivery.counting import counted
from delivery.errors import HeadwayError, Misconfigured, ReleaseUnhealthy, Transient
from delivery.ports.belongings import Losses
from delivery.ports.environment import OpenEnvironment
from delivery.ports.observation import Observation
from delivery.ports.settings import EnvironmentSettings
from delivery.ports.slots import SlotState, TargetState
from delivery.ports.target import Target
from delivery.releases.order import Order
from delivery.releases.release import Release
from delivery.spec.app import App, environment_of
from tasks.certificates import load_certificates
from tasks.lease import lease_book
from tasks.named_secrets import with_named_secrets
from tasks.notes import note
from tasks.plan_book import known_outputs
from tasks.step import log, step

_CHANGES: dict[tuple[str, str], threading.Lock] = {}
_UNDER_CHANGE: dict[tuple[str, str, int], Target] = {}
_OPENING = threading.Lock()

# What headway.yaml may promise (drain_seconds and stop_seconds at most), and what the engine takes besides.
DRAINING_SECONDS = 3600 + 600 + 600

OBSERVER = 0  # a sequence under which nothing can be changed once an environment was changed


def load_settings(app: App, environment: str, *, with_secrets: bool = False) -> EnvironmentSettings:
    """Return what the environment's block holds; `with_secrets` also those that headway.yaml names.

    Raises Misconfigured, with all of them, when there are some that are not there.
    """
    try:
        block = DeliveryEnvironment.load(block_name(app.app, environment), _sync=True)  # type: ignore[call-arg]
    except ValueError:
        settings = EnvironmentSettings(app=app.app, environment=environment)
    else:
        assert isinstance(block, DeliveryEnvironment)
        settings = block.settings(app.app, environment)
    registry = settings.registry or current_registry()
    certificates = partial(load_certificates, app, environment, settings.aws)
    outputs = known_outputs(app, environment)
    settings = replace(settings, registry=registry, certificates=certificates, outputs=outputs)
    return with_named_secrets(app, settings) if with_secrets else settings


def image_host(app: App, environment: str) -> str | None:
    """Return where the environment's images are looked for; none: on this machine."""
    return load_settings(app, environment).docker_host or environment_of(app, environment).target.image_host()


@contextmanager
def open_environment(
    app: App, environment: str, sequence: int = OBSERVER, *, with_secrets: bool = False
) -> Iterator[OpenEnvironment]:
    """Open an environment for the holder of lease `sequence`."""
    opened = _open(app, environment, sequence, with_secrets=with_secrets)
    try:
        with opened.target.guarded():
            yield opened
    finally:
        opened.target.close()


@contextmanager
def open_target(
    app: App, environment: str, sequence: int = OBSERVER, *, with_secrets: bool = False
) -> Iterator[Target]:
    """Open an environment for what only its target is asked."""
    with open_environment(app, environment, sequence, with_secrets=with_secrets) as opened:
        yield opened.target


def _open(app: App, environment: str, sequence: int, *, with_secrets: bool) -> OpenEnvironment:
    settings = load_settings(app, environment, with_secrets=with_secrets)
    return opening.open_environment(app, environment_of(app, environment), settings, sequence=sequence)


@contextmanager
def changing(order: Order, environment: str, sequence: int) -> Iterator[Target]:
    """Yield the target under lease `sequence`, open from the first step of a change to the last, so its guard stands.

    Nothing depends on it: a process that goes on with a change opens another one.
    """
    key = (order.app.app, environment, sequence)
    with _OPENING:
        if key not in _UNDER_CHANGE:
            _UNDER_CHANGE[key] = _open(order.app, environment, sequence, with_secrets=True).target
    target = _UNDER_CHANGE[key]
    with target.guarded():
        yield target


def live_release(app: App, environment: str) -> Release | None:
    """Return the release that is live in the environment, or none."""
    with open_target(app, environment) as target:
        slot = target.observe().live
    return slot.release if slot else None


def let_go(lease: Lease) -> None:
    """Close what was opened under `lease`, and note when traffic had to go back and what was cut."""
    target = _UNDER_CHANGE.pop((lease.app, lease.environment, lease.sequence), None)
    if target is None:
        return
    target.close()
    if not lease.holder:
        return
    try:
        if target.fallback:
            note(lease.holder, "retreat", lease.environment, target.fallback)
        for ended in target.ended:
            note(lease.holder, "ended", lease.environment, ended)
    except (OSError, HeadwayError) as error:
        log().error("it is not noted when traffic went back, or what was cut: %s", error)


@contextmanager
def journaled(
    order: Order, environment: str, verb: Verb, release: Release, sequence: int, detail: str = ""
) -> Iterator[None]:
    """Write down what is meant before the body and what became of it after; Rejected when the lease is over."""
    journal = Journal(current_store(), order.app.app, environment)

    def write(stage: str, text: str) -> None:
        fields = {"at": datetime.now(UTC), "app": order.app.app, "environment": environment, "sequence": sequence}
        fields |= {"run": order.run, "verb": verb, "stage": stage, "release": release, "detail": text}
        try:
            journal.write(Entry.model_validate(fields))
        except (OSError, HeadwayError) as error:
            if verb != "withdraw" and stage != "failed":
                raise
            # Traffic comes before paper: what is withdrawn twice, because it is not written down, does no harm.
            log().error("the journal was not written: %s", error)

    # The thread of a cancelled step goes on: whoever withdraws what it makes has to come after it.
    with _CHANGES.setdefault((order.app.app, environment), threading.Lock()):
        _check_lease(order, environment, sequence)
        write("intent", detail)
        try:
            yield
        except BaseException as error:
            write("failed", f"{type(error).__name__}: {error}")
            if isinstance(error, Exception):
                _check_lease(order, environment, sequence)  # without it, what it stumbled upon is somebody else's work
            raise
        write("done", detail)


def _check_lease(order: Order, environment: str, sequence: int) -> None:
    """Return while the lease is this change's own; Rejected when somebody else took it."""
    try:
        lease_book().check(order.app.app, environment, sequence)
    except (OSError, Transient, Misconfigured) as error:
        log().error("the lease was not read, the target refuses when it is over: %s", error)


@step(timeout_seconds=1800 + DRAINING_SECONDS, name="stage {release.fingerprint}", keep=False)
def stage_release(order: Order, environment: str, release: Release, sequence: int) -> SlotState:
    """Run the release in the idle slot, without live traffic, until it is healthy."""
    with changing(order, environment, sequence) as target:
        with journaled(order, environment, "stage", release, sequence):
            slot = target.stage(order.app, release)
        _tell_ended(target)
    log().info("staged %s with %s", slot.colour, counted(len(slot.instances), "instance"))
    return slot


@step(timeout_seconds=900, name="shift to {percent} %", keep=False)
def shift_release(order: Order, environment: str, release: Release, percent: int, sequence: int) -> TargetState:
    """Send a share of new requests to the release, and read back the version that is served."""
    with changing(order, environment, sequence) as target:
        with journaled(order, environment, "shift", release, sequence, f"{percent} %"):
            target.guard(release)
            return target.shift(release, percent)


@step(timeout_seconds=86400, retries=0, name="watch {seconds} s", keep=False)
def watch_release(order: Order, environment: str, release: Release, seconds: float, sequence: int) -> Observation:
    """Look at live traffic for `seconds`; ReleaseUnhealthy when the verdict, or the policy for no verdict, says so."""
    policy = environment_of(order.app, environment).watch
    with changing(order, environment, sequence) as target:
        seen = target.watch(release, policy, seconds)
    note(order.run, "watch", environment, seen)
    log().info("%s after %.1f s: %s", seen.verdict, seen.seconds, seen.reason)
    tolerated = seen.verdict == "inconclusive" and policy.when_inconclusive == "continue"
    if seen.verdict != "healthy" and not tolerated:
        raise ReleaseUnhealthy(f"{environment}: {seen.verdict}: {seen.reason}")
    return seen


@step(timeout_seconds=60, name="confirm {release.fingerprint}", keep=False)
def confirm_release(order: Order, environment: str, release: Release, sequence: int) -> None:
    """Read once more what is served, and end the guard; ReleaseUnhealthy when it had to act since the last watch."""
    with changing(order, environment, sequence) as target:
        target.confirm(release)


@step(timeout_seconds=DRAINING_SECONDS, name="withdraw {release.fingerprint}", keep=False)
def withdraw_release(order: Order, environment: str, release: Release, sequence: int) -> TargetState:
    """Leave the environment as if the release had never been staged."""
    with changing(order, environment, sequence) as target:
        target.give_up()  # of a cancelled run, whose thread may still wait for a healthy release
        with journaled(order, environment, "withdraw", release, sequence):
            state = target.withdraw(release)
        _tell_ended(target)
    try:
        _remember(order, environment, release, "withdrawn")
    except (OSError, HeadwayError) as error:
        log().error("the history does not say that %s was withdrawn: %s", release.fingerprint, error)
    return state


@step(timeout_seconds=300, name="keep what {release.fingerprint} replaced", keep=False)
def keep_previous(order: Order, environment: str, release: Release, sequence: int) -> TargetState:
    """Give the release all traffic for good, and leave what it replaced ready to come back."""
    with changing(order, environment, sequence) as target:
        _warn_of_losses(order, environment, target)
        with journaled(order, environment, "settle", release, sequence):
            state = target.settle(release)
    note(order.run, "state", environment, state)
    return state


@step(timeout_seconds=DRAINING_SECONDS, name="retire what {release.fingerprint} replaced", keep=False)
def retire_previous(order: Order, environment: str, release: Release, sequence: int) -> TargetState:
    """Remove what the release replaced, after proof that it gets no requests any more."""
    with changing(order, environment, sequence) as target:
        _warn_of_losses(order, environment, target)
        with journaled(order, environment, "retire", release, sequence):
            state = target.retire(release)
        _tell_ended(target)
    note(order.run, "state", environment, state)
    return state


def _warn_of_losses(order: Order, environment: str, target: Target) -> None:
    """Tell what is lost with the instances, while they stand; a release never fails for it."""
    try:
        lines = target.losses(order.app)
        for line in lines:
            log().warning("%s: %s", environment, line)
        if lines:
            note(order.run, "losses", environment, Losses(lines=lines))
    except Exception as error:
        log().info("it is not known what is lost with the instances of %s: %s", environment, error)


@step(timeout_seconds=60, keep=False)
def remember(
    order: Order,
    environment: str,
    release: Release,
    happening: Happening = "released",
    contracted: tuple[str, ...] = (),
) -> None:
    """Keep in the environment's history that the release is live, and which of its migrations shrank the schema."""
    _remember(order, environment, release, happening, contracted)


@step(timeout_seconds=120, keep=False)
def observe(app: App, environment: str) -> TargetState:
    """Tell what runs in the environment now."""
    with open_target(app, environment) as target:
        return target.observe()


def _tell_ended(target: Target) -> None:
    for ended in target.ended:
        log().warning("%s", ended.describe())


def _remember(
    order: Order, environment: str, release: Release, happening: Happening, contracted: tuple[str, ...] = ()
) -> None:
    fields = {"at": datetime.now(UTC), "run": order.run, "happening": happening, "contracted": contracted}
    Archive(current_store()).add_history(environment, HistoryEntry.model_validate(fields | {"release": release}))
