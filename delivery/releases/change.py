"""What a release changes against what is live: shown beside the approval, and bound to it."""

from pydantic import Field

from delivery.model import Model, hash_of
from delivery.releases.infrastructure import InfrastructurePlan
from delivery.releases.migrations import NO_MIGRATIONS, same_migrations
from delivery.releases.rehearsal import Rehearsal
from delivery.releases.release import Release
from delivery.spec.app import App


class Commit(Model):
    """One commit between the live revision and the new one."""

    sha: str
    subject: str
    author: str


class Change(Model):
    """The difference a release makes to one environment."""

    environment: str
    release: Release
    live: Release | None
    commits: tuple[Commit, ...] = ()
    images: tuple[str, ...] = Field((), description="names of images whose digest differs")
    infrastructure: InfrastructurePlan | None = Field(None, description="none: nothing of it changes")
    rehearsal: Rehearsal | None = Field(None, description="what the migrations did on a copy; none: not tried")
    migrations: bool = False
    configuration: bool = False
    findings: str = ""
    stand_ins: str = Field("", description="which images from elsewhere are stand-ins")
    tests: str = ""

    @property
    def binding(self) -> str:
        """A hash of what is approved: another release, another live one or another plan voids the approval."""
        live = self.live.fingerprint if self.live else None
        plan = [self.infrastructure.sha256] if self.infrastructure else []
        sql = [self.rehearsal.sql_sha256] if self.rehearsal else []
        return hash_of([self.environment, self.release.fingerprint, self.release.migrations_hash, live, *plan, *sql])[
            :12
        ]


def compare(
    app: App,
    environment: str,
    release: Release,
    live: Release | None,
    commits: tuple[Commit, ...] = (),
    plan: InfrastructurePlan | None = None,
    rehearsal: Rehearsal | None = None,
) -> Change:
    """Return what `release` of `app` changes against `live`, what `plan` changes under it, what a copy showed."""
    before = live.images if live else {}
    changed = [name for name, ref in release.images.items() if name not in before or before[name].digest != ref.digest]
    return Change(
        environment=environment,
        release=release,
        live=live,
        commits=commits,
        infrastructure=plan if plan and plan.changes_anything else None,
        rehearsal=rehearsal,
        images=(*changed, *(f"{name} (removed)" for name in before if name not in release.images)),
        migrations=not same_migrations(app, release, live) if live else release.migrations_hash != NO_MIGRATIONS,
        configuration=live is None or live.configuration_hash != release.configuration_hash,
    )
