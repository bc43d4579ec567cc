"""Leases: one holder at a time and a sequence that only grows, wherever they are kept."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from delivery.aws.s3_leases import S3Leases
from delivery.changes.lease import LeaseBook
from delivery.errors import Rejected, Transient
from delivery.memory.leases import MemoryLeases

RACERS = 4
TURNS = 10
RACE_IN_FOLDER = """
import sys
from pathlib import Path
from delivery.changes.lease import LeaseBook
leases = LeaseBook(Path(sys.argv[1]))
"""
RACE_ON_S3 = """
import sys
from delivery.aws.s3_leases import S3Leases
from tests.support.local_aws import Server
leases = S3Leases(Server.at(sys.argv[1]).access().client("s3"), sys.argv[2], "shop")
"""
RACE = """
from delivery.errors import Transient
holder = sys.argv[-1]
print("ready", flush=True)
for line in sys.stdin:
    try:
        print(leases.take("shop", line.strip(), holder=holder, reason="race").sequence, flush=True)
    except Transient:
        print(0, flush=True)
"""


class LeaseContract:
    """A subclass brings `make(lease_seconds, platform)`: the same leases each time; and `race`, see below."""

    @pytest.fixture
    def leases(self, make):
        return make()

    def test_every_holder_gets_a_higher_sequence(self, leases):
        first = leases.take("shop", "production", holder="one", reason="release a")
        leases.give_back(first)
        second = leases.take("shop", "production", holder="two", reason="release b")
        assert (first.sequence, second.sequence) == (1, 2)

    def test_the_second_waits_and_is_told_by_whom(self, leases):
        leases.take("shop", "production", holder="one", reason="release a")
        with pytest.raises(Transient, match=r"production of shop is held by one since .* \(release a\)"):
            leases.take("shop", "production", holder="two", reason="release b")

    def test_the_second_is_refused_by_policy(self, leases):
        leases.take("shop", "production", holder="one", reason="release a")
        with pytest.raises(Rejected, match="held by one"):
            leases.take("shop", "production", holder="two", reason="release b", policy="reject")

    def test_a_superseded_holder_is_told_at_its_next_renewal(self, leases):
        lease = leases.take("shop", "production", holder="one", reason="release a")
        with pytest.raises(Transient):
            leases.take("shop", "production", holder="two", reason="release b", policy="supersede")
        with pytest.raises(Rejected, match="superseded by two"):
            leases.renew(lease)

    def test_environments_do_not_wait_for_each_other(self, leases):
        leases.take("shop", "staging", holder="one", reason="release a")
        assert leases.take("shop", "production", holder="two", reason="release b").holder == "two"

    def test_an_expired_lease_can_be_taken_and_the_sleeper_is_refused(self, leases, make):
        short = make(lease_seconds=-1)
        asleep = short.take("shop", "production", holder="one", reason="release a")
        assert short.read("shop", "production").is_abandoned(datetime.now(UTC))
        leases.take("shop", "production", holder="two", reason="release b")
        with pytest.raises(Rejected, match="lost"):
            short.renew(asleep)

    def test_giving_back_what_somebody_else_holds_changes_nothing(self, leases, make):
        asleep = make(lease_seconds=-1).take("shop", "production", holder="one", reason="release a")
        leases.take("shop", "production", holder="two", reason="release b")
        leases.give_back(asleep)
        assert leases.read("shop", "production").holder == "two"

    def test_a_renewed_lease_lives_longer(self, leases):
        lease = leases.take("shop", "production", holder="one", reason="release a")
        renewed = leases.renew(lease)
        assert lease.expires is not None
        assert renewed.expires is not None
        assert renewed.expires > lease.expires
        assert renewed.is_held(lease.expires - timedelta(seconds=1))

    def test_a_lease_is_stolen_from_the_one_who_was_named(self, leases):
        former = leases.take("shop", "production", holder="one", reason="release a")

        stolen = leases.take("shop", "production", holder="two", reason="release b", policy="reject", steal="one")

        assert (stolen.holder, stolen.sequence) == ("two", former.sequence + 1)
        assert stolen.was_taken_over
        assert stolen.takeover is not None
        assert stolen.takeover.describe().startswith("production was stolen from one (release a) by two at 20")
        assert leases.renew(stolen).takeover == stolen.takeover

    def test_it_is_taken_from_nobody_but_the_one_who_was_named(self, leases):
        leases.take("shop", "production", holder="other", reason="release c")

        with pytest.raises(Transient, match="held by other"):
            leases.take("shop", "production", holder="two", reason="release b", steal="one")

        assert leases.read("shop", "production").takeover is None

    def test_what_nobody_holds_is_taken_and_not_stolen(self, leases):
        leases.give_back(leases.take("shop", "production", holder="one", reason="release a"))

        taken = leases.take("shop", "production", holder="two", reason="release b", steal="one")

        assert not taken.was_taken_over
        assert taken.takeover is None

    def test_the_former_holder_hears_by_whom_at_its_renewal_and_at_its_next_effect(self, leases):
        former = leases.take("shop", "production", holder="one", reason="release a")
        stolen = leases.take("shop", "production", holder="two", reason="release b", steal="one")

        with pytest.raises(Rejected, match=r"^stolen by two: production was stolen from one"):
            leases.renew(former)
        with pytest.raises(Rejected, match=r"^stolen by two"):
            leases.check("shop", "production", former.sequence)
        leases.check("shop", "production", stolen.sequence)

    def test_the_former_holder_hears_of_it_although_the_new_one_is_done(self, leases):
        former = leases.take("shop", "production", holder="one", reason="release a")
        leases.give_back(leases.take("shop", "production", holder="two", reason="release b", steal="one"))
        assert leases.read("shop", "production").was_taken_over
        later = leases.take("shop", "production", holder="three", reason="release c")

        with pytest.raises(Rejected, match=r"^stolen by two"):
            leases.renew(former)
        assert not later.was_taken_over

    def test_nobody_steals_from_itself(self, leases):
        leases.take("shop", "production", holder="one", reason="release a")

        assert leases.take("shop", "production", holder="one", reason="release a", steal="one").takeover is None

    def test_the_lease_of_a_dead_holder_ends_at_once_and_the_next_gets_a_higher_sequence(self, leases):
        dead = leases.take("shop", "production", holder="one", reason="release a")

        assert leases.end(dead)

        assert leases.read("shop", "production").is_abandoned(datetime.now(UTC))
        assert leases.take("shop", "production", holder="two", reason="recovery").sequence == dead.sequence + 1

    def test_a_lease_that_went_to_somebody_else_or_was_given_back_is_not_ended(self, leases):
        dead = leases.take("shop", "production", holder="one", reason="release a")
        leases.give_back(dead)
        free = leases.end(dead)
        living = leases.take("shop", "production", holder="two", reason="release b")

        assert (free, leases.end(dead)) == (False, False)
        assert leases.read("shop", "production") == living

    def test_of_many_who_ask_at_once_one_gets_the_lease_and_the_next_a_higher_one(self, leases, race):
        """`race(environment)` lets each of the racers ask for it at once and returns the sequences they got, or 0."""
        for turn in range(TURNS):
            last = leases.read("shop", f"e{turn}").sequence
            first = race(f"e{turn}")
            leases.give_back(leases.read("shop", f"e{turn}"))
            second = race(f"e{turn}")

            assert [sorted(first), sorted(second)] == [
                [*[0] * (RACERS - 1), last + 1],
                [*[0] * (RACERS - 1), last + 2],
            ]

    def test_a_lease_says_on_which_host_and_boot_it_was_taken(self, leases):
        where = leases.take("shop", "production", holder="one", reason="release a").where

        assert where is not None
        assert (where.hostname, where.boot, where.namespace) != ("", "", "")
        assert leases.read("shop", "production").where == where

    def test_an_environment_is_of_the_platform_that_changed_it_last(self, make):
        ours, other = make(platform=lambda: "ours"), make(platform=lambda: "other")
        ours.give_back(ours.take("shop", "production", holder="one", reason="release a"))
        free = ours.read("shop", "production")
        other.take("shop", "staging", holder="two", reason="release b")

        assert [leases.is_ours(free) for leases in (ours, other)] == [True, False]
        assert [leases.is_ours(ours.read("shop", "staging")) for leases in (ours, other)] == [False, True]
        assert ours.is_ours(ours.read("shop", "nobody"))

    def test_all_are_told_in_order_of_name(self, leases):
        for environment in ("staging", "production"):
            leases.take("shop", environment, holder="one", reason="release a")

        assert [lease.environment for lease in leases.all()] == ["production", "staging"]


@contextmanager
def racing(leases, *arguments):
    """Yield `race` of processes, for what keeps threads apart is not enough; `leases` is how they open them."""
    argv = [sys.executable, "-c", leases + RACE, *arguments]
    root = Path(__file__).parents[2]
    racers = [
        subprocess.Popen([*argv, f"r{n}"], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for n in range(RACERS)
    ]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"

    def run(environment):
        for racer in racers:
            racer.stdin.write(f"{environment}\n")
            racer.stdin.flush()
        return [int(racer.stdout.readline()) for racer in racers]

    yield run
    for racer in racers:
        racer.communicate()


class TestFolder(LeaseContract):
    @pytest.fixture
    def make(self, tmp_path):
        return lambda **more: LeaseBook(tmp_path / "leases", **more)

    @pytest.fixture
    def race(self, tmp_path):
        with racing(RACE_IN_FOLDER, str(tmp_path / "leases")) as run:
            yield run


@pytest.mark.xdist_group("local-aws")
class TestS3(LeaseContract):
    @pytest.fixture
    def make(self, aws, bucket):
        return lambda **more: S3Leases(aws.access(tries=2).client("s3"), bucket, "shop", **more)

    @pytest.fixture
    def race(self, aws, bucket):
        with racing(RACE_ON_S3, aws.url, bucket) as run:
            yield run

    def test_answers_that_are_lost_and_throttles_leave_one_holder(self, make, aws):
        leases = make()
        for kind in ("answer lost", "throttled", "error"):
            aws.put_faults({"service": "s3", "operation": "PUT .*", "kind": kind})
            lease = leases.take("shop", "production", holder=kind, reason="release a")
            aws.put_faults({"service": "s3", "operation": "PUT .*", "kind": kind})
            assert leases.renew(lease).sequence == lease.sequence
            aws.put_faults({"service": "s3", "operation": "PUT .*", "kind": kind})
            leases.give_back(lease)
            assert leases.read("shop", "production").holder is None

        assert leases.read("shop", "production").sequence == 3

    def test_a_theft_whose_answer_was_lost_is_told_as_one(self, make, aws):
        leases = make()
        former = leases.take("shop", "production", holder="one", reason="release a")
        aws.put_faults({"service": "s3", "operation": "PUT .*", "kind": "answer lost"})

        assert leases.take("shop", "production", holder="two", reason="b", steal="one").was_taken_over
        with pytest.raises(Rejected, match=r"^stolen by two"):
            leases.renew(former)


# As older versions wrote it after `headway run --steal`.
KEPT_BEFORE = """{
  "app": "shop", "environment": "production", "sequence": 3, "holder": "two", "holder_name": "shop 2", "reason": "b",
  "taken": "2026-11-01T12:00:00Z", "expires": "2026-11-01T12:00:30Z",
  "superseded_by": null, "superseded_by_name": "",
  "theft": {
    "environment": "production", "robbed": "one", "by": "two", "robbed_name": "shop 1", "by_name": "shop 2",
    "at": "2026-11-01T12:00:00Z", "sequence": 2, "since": "2026-11-01T11:00:00Z", "reason": "release a"
  },
  "where": null, "platform": "abc"
}"""


def test_a_lease_that_an_older_version_kept_is_read_with_who_took_it_from_whom(tmp_path):
    (tmp_path / "shop.production.json").write_text(KEPT_BEFORE)
    leases = LeaseBook(tmp_path)

    lease = leases.read("shop", "production")
    leases.give_back(lease)

    told = "production was stolen from shop 1 (run one) (release a) by shop 2 (run two) at 2026-11-01 12:00:00 UTC"
    assert (lease.was_taken_over, lease.takeover and lease.takeover.describe()) == (True, told)
    assert leases.read("shop", "production").takeover == lease.takeover


class TestMemory(LeaseContract):
    @pytest.fixture
    def make(self):
        kept = MemoryLeases()
        return kept.seen_by

    @pytest.fixture
    def race(self, leases):
        def take(holder, environment):
            try:
                return leases.take("shop", environment, holder=holder, reason="race").sequence
            except Transient:
                return 0

        with ThreadPoolExecutor(RACERS) as pool:
            yield lambda environment: list(pool.map(take, [f"r{n}" for n in range(RACERS)], [environment] * RACERS))
