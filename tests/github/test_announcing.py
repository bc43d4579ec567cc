"""What people on GitHub see of a run, and what becomes of it when it cannot be told."""

import socket
import threading
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from delivery.github.announcing import GitHubAnnouncements
from delivery.ports.announcements import Announcement, NotTold, Subject
from delivery.spec.github import GitHub
from tests.support.github import REPOSITORY, TOKEN, fake_github

SHA, BEFORE = "a" * 40, "b" * 40
RUN = "0b1c2d3e-0000-4000-8000-000000000001"
STARTED = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def github():
    with fake_github() as fake:
        yield fake


def subject(**more):
    known = {"app": "shop", "sha": SHA, "environment": "production", "run": RUN, "name": "shop aaaaaaa → production"}
    return Subject.model_validate({**known, "started": STARTED, "url": f"https://prefect.example/{RUN}", **more})


def announcing(github, token=TOKEN, known=(), settings=None, **more):
    config = GitHub.model_validate(
        {"repository": REPOSITORY, "token": "github", "api_url": github.url, **(settings or {})}
    )
    return GitHubAnnouncements(config, SecretStr(token), subject(**more), known)


def phase(part, progress, text=""):
    return Announcement(part=part, progress=progress, text=text)


def environment(progress, text="", part="production", site=""):
    return Announcement(part=part, progress=progress, text=text, is_environment=True, site=site)


def test_a_phase_is_a_commit_status_with_a_link_to_the_run(github):
    told = announcing(github)

    told.tell([phase("build", "running")])
    told.tell([phase("build", "passed", "2 images")])

    assert github.told("build") == [("pending", "in progress"), ("success", "2 images")]
    assert {one["context"] for one in github.statuses} == {"headway/shop/build"}
    assert {one["target_url"] for one in github.statuses} == {f"https://prefect.example/{RUN}"}


def test_what_was_told_is_not_told_again(github):
    told, news = announcing(github), [phase("build", "passed"), environment("running")]

    told.tell(news)
    once = len(github.asked)
    told.tell(news)

    assert len(github.asked) == once


@pytest.mark.parametrize(
    ("progress", "state"),
    [
        ("queued", "pending"),
        ("waits", "pending"),
        ("running", "pending"),
        ("passed", "success"),
        ("refused", "failure"),
        ("broken", "error"),
    ],
)
def test_every_word_for_how_far_a_phase_is_has_its_word_on_github(github, progress, state):
    announcing(github).tell([phase("scan", progress)])

    assert [one for one, _ in github.told("scan")] == [state]


@pytest.mark.parametrize(("end", "state"), [("passed", "success"), ("refused", "failure"), ("broken", "error")])
def test_an_environment_is_a_deployment_that_waits_goes_on_and_ends(github, end, state):
    told = announcing(github)

    for news in (environment("queued"), environment("waits"), environment("running"), environment(end)):
        told.tell([news])

    assert github.went("production") == [["queued", "in_progress", state]]
    (made,) = github.deployments.values()
    assert (made["ref"], made["task"], made["payload"]) == (SHA, "deploy", {"app": "shop", "run": RUN})


def test_a_deployment_links_to_the_run_and_to_the_application(github):
    told = announcing(github)

    told.tell([environment("running")])
    told.tell([environment("passed", site="https://shop.example")])

    (states,) = github.states.values()
    assert states[-1]["log_url"] == f"https://prefect.example/{RUN}"
    assert states[-1]["environment_url"] == "https://shop.example"


@pytest.mark.parametrize("end", ["passed", "refused", "broken"])
def test_what_never_came_to_an_environment_is_no_deployment(github, end):
    announcing(github).tell([environment(end, "the tests failed")])

    assert github.deployments == {}
    assert len(github.told("production")) == 1


def test_an_environment_that_was_changed_while_nobody_could_be_told_is_a_deployment(github):
    news = environment("passed").model_copy(update={"has_begun": True})

    announcing(github).tell([news])

    assert github.went("production") == [["success"]]


def test_a_rollback_says_that_it_is_one(github):
    announcing(github, goes_back=True).tell([environment("running")])

    assert [one["task"] for one in github.deployments.values()] == ["deploy:rollback"]


def test_what_a_release_replaces_is_inactive_from_then_on_and_another_application_is_not(github):
    announcing(github, run="first", sha=BEFORE).tell([environment("running")])
    announcing(github, run="first", sha=BEFORE).tell([environment("passed")])
    announcing(github, run="other", app="blog").tell([environment("running")])
    announcing(github, run="other", app="blog").tell([environment("passed")])

    now = announcing(github)
    now.tell([environment("running")])
    now.tell([environment("passed")])

    first, other, mine = github.went("production")
    assert first == ["in_progress", "success", "inactive"]
    assert other == mine == ["in_progress", "success"]


def test_what_a_withdrawn_release_did_not_replace_stays_active(github):
    before = announcing(github, run="first", sha=BEFORE)
    before.tell([environment("running")])
    before.tell([environment("passed")])

    now = announcing(github)
    now.tell([environment("running")])
    now.tell([environment("refused", "withdrawn")])

    assert github.went("production") == [["in_progress", "success"], ["in_progress", "failure"]]


def test_a_run_that_another_process_carries_on_goes_on_with_its_deployment(github):
    announcing(github).tell([environment("waits")])

    announcing(github, known=[environment("waits")]).tell([environment("running")])

    assert github.went("production") == [["queued", "in_progress"]]
    assert len(github.told("production")) == 2


def test_a_long_reason_is_cut_where_github_would_refuse_it(github):
    announcing(github).tell([phase("scan", "refused", "findings " * 50), environment("running", "x\ny" * 100)])

    ((_, text),) = github.told("scan")
    assert len(text) == 140
    assert text.endswith("…")


def test_a_pull_request_gets_one_comment_which_is_edited_from_then_on(github):
    github.open_pull(7, SHA)
    told = announcing(github)

    told.tell([phase("build", "running")])
    told.tell([phase("build", "passed"), environment("refused", "no `test` | ran @everybody")])

    (body,) = github.bodies()
    assert body.startswith("<!-- headway delivers shop -->\n")
    assert f"[shop aaaaaaa → production](https://prefect.example/{RUN})" in body
    assert "| build | passed |  |" in body
    assert "| production | failed | `no 'test' \\| ran @everybody` |" in body


def test_the_comment_of_an_earlier_run_is_found_again(github):
    github.open_pull(7, SHA)
    github.open_pull(7, BEFORE)
    announcing(github, sha=BEFORE, run="before").tell([phase("build", "refused")])

    announcing(github, started=STARTED + timedelta(hours=1)).tell([phase("build", "passed")])

    (body,) = github.bodies()
    assert SHA in body


def test_a_run_does_not_write_over_what_a_later_one_said(github):
    github.open_pull(7, SHA)
    announcing(github, run="later", started=STARTED + timedelta(hours=1)).tell([phase("build", "passed")])

    announcing(github).tell([phase("build", "refused")])

    (body,) = github.bodies()
    assert "| build | passed |" in body


def test_two_runs_at_once_make_one_comment(github):
    github.open_pull(7, SHA)
    github.together = threading.Barrier(2)
    runs = [announcing(github, run=f"run-{one}", started=STARTED + timedelta(seconds=one)) for one in range(2)]
    threads = [threading.Thread(target=one.tell, args=([phase("build", "running")],)) for one in runs]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (body,) = github.bodies()
    assert body.startswith("<!-- headway delivers shop -->\n")
    assert sum(one.startswith("POST") and "/issues/" in one for one in github.asked) == 2


def test_two_applications_of_one_repository_have_a_comment_each(github):
    github.open_pull(7, SHA)

    announcing(github).tell([phase("build", "running")])
    announcing(github, app="blog").tell([phase("build", "running")])

    assert len(github.bodies()) == 2


def test_a_comment_of_a_stranger_is_left_alone_whatever_it_begins_with(github):
    github.open_pull(7, SHA)
    theirs = "<!-- headway delivers shop -->\nsend your passwords to me"
    github.say(7, theirs, "CONTRIBUTOR")

    announcing(github).tell([phase("build", "running")])

    assert len(github.bodies()) == 2
    assert theirs in github.bodies()


def test_a_comment_is_found_among_many(github):
    github.open_pull(7, SHA)
    told = announcing(github)
    for number in range(120):
        github.say(7, f"remark {number}", "NONE")

    told.tell([phase("build", "running")])
    told.tell([phase("build", "passed")])

    assert len(github.bodies()) == 121


def test_a_merged_pull_request_hears_of_its_delivery_and_one_that_only_contains_the_commit_does_not(github):
    github.open_pull(7, BEFORE, merged_as=SHA)
    github.open_pull(8, BEFORE)

    announcing(github).tell([environment("running")])

    assert len(github.bodies(7)) == 1
    assert github.bodies(8) == []


@pytest.mark.parametrize(
    ("off", "left"),
    [
        ("statuses", {"deployments", "comments"}),
        ("deployments", {"statuses", "comments"}),
        ("comment", {"statuses", "deployments"}),
    ],
)
def test_what_is_switched_off_is_not_told(github, off, left):
    github.open_pull(7, SHA)

    announcing(github, settings={off: False}).tell([environment("running")])

    found = {"statuses": github.statuses, "deployments": github.deployments, "comments": github.comments}
    assert {name for name, one in found.items() if one} == left


def test_a_token_without_a_right_is_told_once_with_the_right_it_lacks_and_the_rest_goes_on(github):
    github.open_pull(7, SHA)
    github.rights = {"deployments", "comments"}
    told = announcing(github)

    with pytest.raises(NotTold, match="the token needs the right `commit statuses: write`") as refused:
        told.tell([environment("running")])
    told.tell([environment("passed")])

    assert refused.value.again_seconds is None
    assert github.went("production") == [["in_progress", "success"]]
    assert "| production | passed |" in github.bodies()[0]


def test_a_token_that_github_does_not_know_is_told_without_the_token(github):
    with pytest.raises(NotTold, match="GitHub does not know the token") as refused:
        announcing(github, token="ghs_other").tell([phase("build", "running")])

    assert refused.value.again_seconds is None
    assert "ghs_other" not in str(refused.value)


def test_when_github_limits_it_says_when_to_ask_again_and_that_is_obeyed(github):
    github.limited = [30]
    told = announcing(github, settings={"deployments": False, "comment": False})

    with pytest.raises(NotTold, match="for 30 s more") as limited:
        told.tell([phase("build", "running")])
    told.tell([phase("build", "running")])

    assert limited.value.again_seconds == 30
    assert github.told("build") == [("pending", "in progress")]


def test_a_github_that_is_down_may_be_told_later(github):
    told = announcing(github)
    github.is_down = True
    with pytest.raises(NotTold, match="GitHub answers 502") as down:
        told.tell([phase("build", "running")])
    github.is_down = False

    told.tell([phase("build", "running")])

    assert down.value.again_seconds
    assert github.told("build") == [("pending", "in progress")]


def test_a_github_that_nobody_reaches_may_be_told_later(github):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = {"api_url": f"http://127.0.0.1:{nobody.getsockname()[1]}"}

        with pytest.raises(NotTold, match="GitHub does not answer") as gone:
            announcing(github, settings=address).tell([phase("build", "running")])

    assert gone.value.again_seconds


@pytest.mark.parametrize("misspelt", [{"state": "ok"}, {"state": "success", "contxt": "x"}])
def test_the_fake_notices_what_github_does_not_describe(misspelt):
    with pytest.raises(AssertionError, match="body"), fake_github() as fake:
        fake.answer("POST", f"/repos/{REPOSITORY}/statuses/{SHA}", {}, misspelt, f"token {TOKEN}")
