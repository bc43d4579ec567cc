"""A drill on RDS: the instance as it was just now, in another one, and checks that are seen to notice damage."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from delivery.aws.deadlines import Deadline
from delivery.aws.rds_copies import LIVES, Copies, Copy, Source
from delivery.aws.rds_looks import Look, Looks
from delivery.aws.rds_reading import check_indexes, look_at, look_at_damaged, run_sql
from delivery.aws.rds_snapshots import identifier
from delivery.errors import HeadwayError, Rejected, Transient
from delivery.ports.backups import counted_states
from delivery.ports.drills import Drill, judge_drill, outcome_of, table_rows, told_of
from delivery.programs import postgres
from delivery.programs.postgres_managed import managed_mark_script
from delivery.spec.backups import DrillCheck
from delivery.waiting import until

# RDS uploads what was written every five minutes, and goes back to whole seconds:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html
POLL_SECONDS = 2.0
NAMED = "headway-drill"
PAGES = "not checked: pages: nobody reads them on RDS as they are on the disk"
APPLICATION = "not checked: the application on the copy: nothing starts it beside an instance of RDS"
AFTERWARDS = timedelta(minutes=15)  # so long after its deadline nobody needs its copy any more
_NOW = "select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"');\n"


@dataclass(frozen=True)
class RdsDrill:
    """Drills of one environment's instance; what was in use when one began is kept in the home until it has ended."""

    copies: Copies
    looks: Looks
    without: tuple[DrillCheck, ...] = ()
    has_code: bool = False

    def run(self, run: str, deadline: Deadline) -> Drill:
        """Return what going back showed; the copy and the sentinel are gone. Whoever comes after a kill goes on."""
        started, key = datetime.now(UTC), identifier(NAMED, run)
        for abandoned in self.looks.abandoned(NAMED, started - LIVES):
            self._end(abandoned)
        try:
            begun = self.looks.begin_with(key, lambda token: self._marked(token, deadline))
            self._archived(begun.marked, deadline)
            shown = self._gone_back(run, begun, deadline)
        except HeadwayError as error:
            if isinstance(error, Transient) and not deadline.is_over:
                raise
            shown = Drill(at=started, outcome="fail", problems=(why(error, deadline),))
        self._end(key)
        return shown

    def _marked(self, token: str, deadline: Deadline) -> Look:
        """Write a sentinel, and return what is in use with the next whole second, which has the sentinel."""
        own, database = self.copies.own, self.copies.own.settings.name
        said = run_sql(own, database, managed_mark_script(database, token) + _NOW, seconds=deadline.left())
        now = datetime.fromisoformat(said.split()[-1])
        moment = now.replace(microsecond=0) + timedelta(seconds=1)
        states = look_at(own, database, seconds=deadline.left())
        return Look(token=token, marked=moment, states=states, rpo_seconds=(moment - now).total_seconds())

    def _archived(self, moment: datetime, deadline: Deadline) -> None:
        """Return once RDS can go back to the moment; Rejected when it cannot within the deadline."""

        def there() -> bool:
            told = self.copies.own.describe() or {}
            latest = told.get("LatestRestorableTime")
            return bool(latest and latest >= moment)

        if not until(there, seconds=deadline.left(), every=POLL_SECONDS):
            raise Rejected(f"RDS cannot go back to {moment:%Y-%m-%dT%H:%M:%SZ} yet")

    def _gone_back(self, run: str, begun: Look, deadline: Deadline) -> Drill:
        lives = timedelta(seconds=deadline.seconds) + AFTERWARDS
        left = deadline.left()
        with self.copies.opened(Source(at=begun.marked), "drill", run, seconds=left, lives=lives) as copy:
            return self._checked(copy, begun, deadline)

    def _checked(self, copy: Copy, begun: Look, deadline: Deadline) -> Drill:
        database, in_use = self.copies.own.settings.name, table_rows(begun.states)
        after = look_at(copy.database, database, seconds=deadline.left())
        rto = (datetime.now(UTC) - copy.begun).total_seconds()
        sentinel, own, unchecked = postgres.sentinel_of(begun.token), copy.database, self._cannot_check()
        wrong: tuple[str, ...] = ()
        if "indexes" not in self.without:
            wrong, more = check_indexes(own, database, seconds=deadline.left())
            unchecked += more
        wrong += judge_drill(after, sentinel=sentinel, in_use=in_use)
        copy.mark_damaged()
        damaged = look_at_damaged(own, database, after, begun.token, seconds=deadline.left())
        notices = bool(set(judge_drill(damaged, sentinel=sentinel, in_use=in_use)) - set(wrong))
        tables, rows = counted_states(after)
        return Drill(
            at=datetime.now(UTC),
            outcome=outcome_of(wrong, unchecked, notices=notices),
            problems=told_of(wrong, notices=notices),
            unchecked=unchecked,
            tables=tables,
            rows=rows,
            rto_seconds=round(rto, 3),
            rpo_seconds=round(begun.rpo_seconds, 3),
        )

    def _cannot_check(self) -> tuple[str, ...]:
        """Return what nobody checks on RDS, unless that is on purpose."""
        pages = () if "pages" in self.without else (PAGES,)
        return pages + (() if "application" in self.without or not self.has_code else (APPLICATION,))

    def _end(self, key: str) -> None:
        """Remove the sentinel, and what was kept of the drill; a database that does not answer keeps the sentinel."""
        begun, own = self.looks.begun(key), self.copies.own
        if begun:
            with suppress(HeadwayError):
                run_sql(own, own.settings.name, postgres.remove_sentinel_script(begun.token))
        self.looks.forget(key)


def why(error: HeadwayError, deadline: Deadline) -> str:
    """Return why a drill did not come to its end, with its deadline when that ended it."""
    return f"{deadline.told}: {error}" if deadline.is_over and deadline.told not in str(error) else str(error)
