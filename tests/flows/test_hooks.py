"""A team's own commands around a release: one before may stop it, none after it changes how it ended."""

import pytest
from prefect.blocks.system import Secret

from delivery.errors import Misconfigured, Rejected
from delivery.report.markdown import report_markdown
from flows.rollback import rollback
from tests.flows.platform import MEMORY

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]

CANARY = "canary-61fe02-of-a-hook"
ASK = {"image": "ask:1", "command": ["bin/may-deploy"]}
TELL = {"image": "tell:1"}
EVERYWHERE = {"before_release": [ASK], "after_release": [TELL], "after_failure": [TELL]}


def told(platform):
    """Return moment, kind and outcome of every hook that was run."""
    return [(one["HEADWAY_HOOK"], one["HEADWAY_KIND"], one["HEADWAY_OUTCOME"]) for one in platform.containers.hooks]


def test_hooks_are_told_what_goes_where_and_how_it_ended(platform):
    platform.describe(hooks=EVERYWHERE)

    run = platform.deliver()

    before, after = platform.containers.hooks
    live = platform.live()
    record = platform.record(run.id)
    expected = {
        "HEADWAY_HOOK": "after_release",
        "HEADWAY_KIND": "release",
        "HEADWAY_APP": "shop",
        "HEADWAY_ENVIRONMENT": "production",
        "HEADWAY_RELEASE": live.fingerprint,
        "HEADWAY_REVISION": live.revision.sha,
        "HEADWAY_RUN": run.id,
        "HEADWAY_OUTCOME": "delivered",
        "HEADWAY_REASON": "",
        "BASE_URL": "memory://shop/production",
    }
    assert run.state.is_completed(), run.ended
    assert after == expected
    assert (before["HEADWAY_HOOK"], before["HEADWAY_OUTCOME"]) == ("before_release", "")
    assert [(one.at, one.label, one.passed) for one in record.hooks] == [
        ("before_release", "bin/may-deploy", True),
        ("after_release", "tell:1", True),
    ]
    assert "## Hooks" in report_markdown(record)


def test_a_hook_before_stops_the_release_before_anything_is_changed(platform):
    platform.put_live(1)
    platform.describe(hooks=EVERYWHERE)
    platform.containers.complaints["ask:1"] = "it is Friday"

    run = platform.put_live(2)

    assert type(run.error) is Rejected
    assert str(run.error).startswith("production: hooks.before_release[0] failed, before anything was changed")
    assert "ended with exit code 3; its last lines:\nit is Friday" in str(run.error)
    assert platform.live() == platform.release(1)
    assert platform.journal().entries(2) == []
    assert told(platform) == [("before_release", "release", ""), ("after_failure", "release", "rejected")]
    assert "hooks.before_release[0] failed" in platform.containers.hooks[1]["HEADWAY_REASON"]


@pytest.mark.long
def test_a_withdrawn_release_is_told_as_one(platform):
    platform.put_live(1)
    platform.describe(hooks=EVERYWHERE)
    platform.behaviour().error_percent[platform.release(2).fingerprint] = 40

    platform.put_live(2)

    assert told(platform)[1:] == [("after_failure", "release", "withdrawn")]


@pytest.mark.parametrize("moment", ["after_release", pytest.param("before_release", marks=pytest.mark.long)])
def test_a_hook_that_only_warns_changes_nothing(platform, moment):
    more = {"when_failed": "warn"} if moment == "before_release" else {}
    platform.describe(hooks={moment: [TELL | more]})
    platform.containers.complaints["tell:1"] = "nobody answers"

    run = platform.deliver()

    (result,) = platform.record(run.id).hooks
    assert run.state.is_completed(), run.ended
    assert "nobody answers" in result.problem
    assert platform.happenings() == ["released"]


@pytest.mark.long
def test_a_hook_is_of_the_environments_it_names(platform):
    environments = {"staging": {"target": MEMORY}, "production": {"target": MEMORY, "after": "staging"}}
    platform.describe(environments=environments, hooks={"after_release": [TELL | {"environments": ["staging"]}]})

    platform.deliver()

    assert [one["HEADWAY_ENVIRONMENT"] for one in platform.containers.hooks] == ["staging"]


@pytest.mark.long
@pytest.mark.parametrize("rollbacks", [True, False])
def test_a_rollback_runs_the_hooks_that_are_for_it(platform, rollbacks):
    platform.describe(hooks={"after_release": [TELL | {"rollbacks": rollbacks}]})
    platform.put_live(1)
    platform.put_live(2)
    platform.containers.hooks.clear()

    run = platform.run(rollback, {"app": "shop"})

    assert run.state.is_completed(), run.ended
    assert told(platform) == [("after_release", "rollback", "rolled-back")] * rollbacks


def test_the_secrets_of_a_hook_are_not_in_what_is_kept_of_it(platform):
    Secret(value=CANARY).save("hook-token", overwrite=True, _sync=True)
    platform.describe(hooks={"before_release": [ASK | {"secrets": {"TOKEN": "hook-token"}}]})
    platform.containers.complaints["ask:1"] = "no"

    run = platform.deliver()

    store = platform.archive.store
    kept = [store.get(key) for key in store.keys("runs")]
    assert platform.containers.hooks[0]["TOKEN"] == "(secret)"
    assert run.ended[0] == "Rejected"
    assert [one for one in kept if CANARY.encode() in one] == []
    assert CANARY not in run.ended[1]


@pytest.mark.long
def test_a_secret_of_a_hook_that_is_not_there_is_told_at_the_start(platform):
    platform.describe(hooks={"after_release": [TELL | {"secrets": {"TOKEN": "nobody-set-it"}}]})

    run = platform.deliver()

    assert run.ended[0] == "Misconfigured"
    assert "hooks.after_release[0].secrets.TOKEN: there is no secret nobody-set-it" in run.ended[1]
    assert platform.containers.built == []


def test_an_environment_that_a_hook_names_and_that_is_not_there_is_a_mistake(platform):
    platform.describe(hooks={"after_release": [TELL | {"environments": ["prod"]}]})
    with pytest.raises(Misconfigured, match=r"hooks.after_release\[0\].environments: no such name \(found prod\)"):
        _ = platform.app
