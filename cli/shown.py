"""What commands print as data, where it is no value of a delivery's own."""

from typing import Any

from pydantic import Field

from delivery.changes.backup_policy import BackupAges
from delivery.changes.restores import Replaced, RestoreRecord
from delivery.hooks.connections import Connection, Listening
from delivery.hooks.spool import Counts
from delivery.model import Model
from delivery.ports.backups import BackupProof, KeptBackup, Masked, Restored
from delivery.releases.infrastructure import InfrastructurePlan
from delivery.releases.release import Revision
from delivery.report.dora import Deployment, Figures


class FirstFile(Model):
    """A first headway.yaml and what is said of it."""

    file: str
    content: dict[str, Any]
    guesses: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()


class PlannedStop(Model):
    """An environment that a delivery would go through."""

    environment: str
    approval: str
    shift: str
    watch: str
    acceptance: str
    live: str


class NotPlanned(Model):
    """An environment whose infrastructure could not be planned, and why."""

    environment: str
    problem: str


class Plan(Model):
    """What a delivery would do."""

    app: str
    revision: Revision | None = Field(None, description="none: nothing is committed yet")
    words: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    stand_ins: str
    vulnerability_database: str
    environments: tuple[PlannedStop, ...] = ()
    infrastructure: tuple[InfrastructurePlan | NotPlanned, ...] = ()


class Answered(Model):
    """The answer to a run that waited."""

    run: str
    decision: str
    approver: str
    comment: str = ""


class BackupTaken(KeptBackup):
    """A backup that was taken and restored."""

    proof: BackupProof
    left_behind: str = Field("", description="which volumes and buckets are not in it")


class BackupsKept(Model):
    """The backups that are kept, what restores showed, and what is too old."""

    backups: tuple[KeptBackup, ...] = ()
    history: tuple[RestoreRecord, ...] = ()
    ages: tuple[BackupAges, ...] = ()


class RestoreDone(Model):
    """What came back, and what it took the place of."""

    restored: Restored
    replaced: Replaced | None = None
    left_behind: str = ""


class RefreshDone(Model):
    """What came back masked, and what it took the place of."""

    masked: Masked
    replaced: Replaced


class Databases(Model):
    """The databases beside each other in an environment."""

    used: str | None = None
    beside: tuple[str, ...] = ()


class Removed(Model):
    """What was removed of an application."""

    app: str
    removed: tuple[str, ...] = ()


class Destroyed(InfrastructurePlan):
    """What was destroyed, and what stays."""

    stays: tuple[str, ...] = ()


class PlatformUp(Model):
    """Where a platform that is up is found."""

    ui: str
    api: str
    home: str
    aws: dict[str, str] = Field({}, description="variables that lead to the local AWS; empty: there is none")


class UiLink(Model):
    """The link of the UI and the key that it asks for."""

    ui: str
    key: str | None = None


class ConnectionMade(Connection):
    """Somebody who may tell what happened, and where that is sent to."""

    url: str


class ConnectionsKept(Model):
    """Who may tell what, where the receiver listens, and how much is not taken up yet."""

    listening: Listening
    runs: bool
    arrivals: Counts
    connections: tuple[ConnectionMade, ...] = ()


class FiguresShown(Model):
    """DORA's figures of one environment with the deployments they are made from."""

    figures: Figures
    deployments: tuple[Deployment, ...] = ()
