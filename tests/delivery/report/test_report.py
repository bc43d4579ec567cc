"""The report tells what happened, stands by itself, and believes nothing that was written in a commit."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from delivery.ports.cells import CellResult
from delivery.ports.leases import Takeover
from delivery.ports.observation import EndedConnections
from delivery.releases.change import Commit, compare
from delivery.releases.infrastructure import InfrastructurePlan
from delivery.releases.rehearsal import SCHEMA_ALONE, Rehearsal
from delivery.report.html import report_html
from delivery.report.markdown import change_markdown, report_markdown
from delivery.report.record import DeliveryRecord, ReleaseFigures, RestoreFigures
from delivery.spec.checks import CheckResult
from delivery.spec.hooks import HookResult
from delivery.spec.matrix import Cell
from tests.delivery.changes.test_restores import record
from tests.delivery.report.records import make_figures, make_record
from tests.delivery.values import NOON, make_app, make_release, make_revision

HOSTILE = '<script>alert("1")</script> | `x` [a](http://example.org) & *b*'
OLD_KEYS = {
    "takeovers": "thefts",
    "taken_from": "robbed",
    "taken_from_name": "robbed_name",
    "fallbacks": "retreats",
}
FAILED = CellResult(
    cell=Cell(suite="api", axes={"node": "22|x"}),
    outcome="failed",
    problem="2 failures | <b>",
    tests=3,
    failures=2,
    junit_found=True,
    last_lines="<i>trace</i>",
)


class Page(HTMLParser):
    """The elements and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.open += [tag] if tag not in ("meta", "br", "image", "use", "path") else []
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag


def test_the_short_report_says_what_happened() -> None:
    text = report_markdown(make_record())
    assert text.startswith("# shop 0000000 → production: delivered in 20.0 s\n")
    assert f"* release `{make_release(7).fingerprint}`" in text
    assert "* application: <http://127.0.0.1:8080>" in text
    assert "* approval of production: approve by kim – go" in text
    assert "* stand-in: node:22-alpine: a stand-in made from Debian 12 packages takes its place (node 22.20.0)" in text
    assert "it lacks apk" in text
    assert "| unit 1/2 | ✓ passed | 12 | 0 | 5.0 s |" in text
    assert "| smoke | ✓ passed | exit code only | 0 | 1.0 s |" in text
    assert "| web | 3 | 3 LOW | fresh |" in text
    assert "* production: 300 requests, 0 failed (at most 0.99 %, 95 % sure)" in text
    assert "* production: traffic went back 0.30 s after the first sign of a fault: green-1 died" in text
    assert "* production: stage 3.5 s, shift 1.0 s" in text
    assert "* production: 2 tables, 9 rows came back; RPO 0.10 s, RTO 1.50 s" in text
    assert "* the whole report: `/store/runs/r1/report.html`" in text


def test_a_record_that_an_older_version_kept_is_read() -> None:
    took = Takeover(environment="production", taken_from="r0", by="r1", taken_from_name="shop 1", at=NOON, sequence=2)
    record = make_record(takeovers=(took,))
    kept = record.model_dump_json()
    for new, old in OLD_KEYS.items():
        assert f'"{new}":' in kept
        kept = kept.replace(f'"{new}":', f'"{old}":')
    assert DeliveryRecord.model_validate_json(kept) == record


def test_the_steps_of_the_critical_path_are_marked() -> None:
    text = report_markdown(make_record())
    marks = {
        line.split(" | ")[1]: line.split(" | ")[3].strip() for line in text.splitlines() if line.startswith("| p |")
    }
    assert marks == {
        "build web": "critical",
        "scan web": "",
        "unit 1/2": "critical",
        "publish": "critical",
        "stage": "critical",
    }


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"kind": "rollback"}, "# shop rollback to 0000000 → production: rolled back in"),
        ({"kind": "rollback", "outcome": "withdrawn"}, "# shop rollback to 0000000 → production: withdrawn in"),
        (
            {"outcome": "rejected", "reason": "tests: 1 of 3"},
            "# shop 0000000 → production: rejected in 20.0 s\n\n```\ntests: 1",
        ),
        ({"app": ""}, "# a run → production: delivered in"),
    ],
)
def test_the_outcome_is_the_first_line(more: dict[str, Any], said: str) -> None:
    assert report_markdown(make_record(**more)).startswith(said)


@pytest.mark.parametrize("report", [report_markdown, report_html])
def test_a_run_that_died_early_has_a_report(report: Any) -> None:
    record = DeliveryRecord(
        run="r1",
        environment="production",
        outcome="failed",
        started=make_record().started,
        ended=make_record().ended,
    )
    assert "a run → production" in report(record)


def test_nothing_in_a_commit_is_read_as_markdown() -> None:
    record = make_record(revision=make_revision(7, HOSTILE), cells=(FAILED,), reason="```\n<script>")
    text = report_markdown(record)
    lines = text.splitlines()
    assert "&lt;script>" in text
    assert "\\`x\\` \\[a](http://example.org) & \\*b\\*" in text
    assert lines[2:6] == ["````", "```", "<script>", "````"]
    assert r"| api\[node=22\|x] | ✗ failed: 2 failures \| &lt;b> | 3 | 2 | 0.0 s |" in lines


def test_the_question_shows_what_changes() -> None:
    commits = (Commit(sha="a" * 40, subject=HOSTILE, author="kim|lee"),)
    change = compare(make_app(), "production", make_release(2, migrations="m2"), make_release(1), commits)
    text = change_markdown(change.model_copy(update={"findings": "none", "tests": "9 passed"}))
    assert text.startswith("**production**: let this release in?\n")
    assert f"* live now: `{make_release(1).fingerprint}` (0000000)" in text
    assert "* images that change: web\n* migrations: yes; configuration: no\n* scan: none\n* tests: 9 passed" in text
    assert "1 commit:\n\n* `aaaaaaa` &lt;script>" in text
    assert r"(kim\|lee)" in text


def test_the_first_release_is_asked_for_as_such() -> None:
    text = change_markdown(compare(make_app(), "production", make_release(1), None, ()))
    assert "* live now: nothing: this is the first release" in text
    assert "* scan: not known" in text


@pytest.fixture(scope="module")
def page() -> str:
    hostile = {"revision": make_revision(7, HOSTILE), "cells": (FAILED, *make_record().cells), "reason": "<script>2"}
    return report_html(make_record(**hostile, outcome="rejected"))


def test_the_page_is_whole(page: str) -> None:
    assert Page(page).open == []
    assert page.startswith("<!doctype html>")


def test_the_page_needs_nothing_else(page: str) -> None:
    found = Page(page)
    assert not found.tags & {"script", "link", "img", "iframe", "object"}
    outside = [address for address in found.addresses if not address.startswith("#")]
    assert outside == ["http://127.0.0.1:8080", "http://127.0.0.1:4200/runs/r1"]
    assert "url(http" not in page
    assert "@import" not in page


def test_nothing_in_a_commit_or_a_log_is_read_as_html(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;" in page
    assert "&lt;i&gt;trace&lt;/i&gt;" in page


def test_the_page_shows_steps_and_traffic_as_pictures(page: str) -> None:
    assert page.count("<svg") == 2
    assert "unit 1/2  5.0 s" in page
    assert "new slot, %" in page


def test_the_page_tells_outcome_tests_approval_and_backup(page: str) -> None:
    text = re.sub(r"<[^>]+>", " ", page)
    for said in (
        "rejected",
        "failed: 2 failures",
        "exit code only",
        "kim",
        "0.10 s",
        "300 requests, 0 failed",
        "Traffic went back 0.30 s after the first sign of a fault: green-1 died",
        "stage 3.5 s, shift 1.0 s",
        "3 LOW",
    ):
        assert said in text


def test_two_steps_need_no_picture() -> None:
    assert "<svg" not in report_html(make_record(steps=make_record().steps[:2], releases=()))


def test_the_same_run_makes_the_same_page() -> None:
    assert report_html(make_record()) == report_html(make_record())


@pytest.mark.parametrize(("requests", "errors", "share"), [(300, 0, 0.00994), (10, 10, 1.0), (100, 1, 0.0466)])
def test_the_share_of_failures_is_bounded_with_confidence(requests: int, errors: int, share: float) -> None:
    assert make_figures(requests, errors).max_failure_share == pytest.approx(share, rel=0.01)


def test_without_a_request_nothing_is_known_of_failures() -> None:
    assert make_figures(0, 0).max_failure_share is None


def test_a_step_of_any_name_is_shown_in_the_picture() -> None:
    odd = make_record().steps[0].model_copy(update={"name": r"api[v=$\none$ <b>&]"})
    page = report_html(make_record(steps=(*make_record().steps, odd), releases=()))
    assert r"api[v=$\none$ &lt;b&gt;&amp;]" in page


def test_the_address_is_that_of_the_environment_asked_for() -> None:
    staging = make_figures().model_copy(update={"environment": "staging", "url": "http://127.0.0.1:8081"})
    record = make_record(releases=(staging, make_figures()))
    assert record.url == "http://127.0.0.1:8080"
    assert make_record(releases=(staging,)).url is None


def test_a_record_is_kept_and_read_back_as_it_was() -> None:
    assert DeliveryRecord.model_validate_json(make_record().model_dump_json()) == make_record()


def test_what_a_cell_remarks_is_in_both_reports() -> None:
    remarked = FAILED.model_copy(update={"remarks": ("the log may lack its beginning",)})
    record = make_record(cells=(remarked,))
    assert "the log may lack its beginning" in report_markdown(record)
    assert "<br>the log may lack its beginning" in report_html(record)


def test_volumes_are_named_that_no_proof_of_a_backup_is_about() -> None:
    record = make_record().model_copy(
        update={"unproven": ("uploads", "cache"), "losses": ("production: services.web",)}
    )
    said = "not in the proof, which is of the database alone: uploads, cache"
    assert said in report_markdown(record)
    assert said in report_html(record).lower()
    assert "Lost with each release: production: services.web" in report_html(record)


RESTORES = RestoreFigures(
    environment="production",
    restores=(
        record(hours=72, kind="drill", outcome="unknown", rto_seconds=2, unchecked=("pages: | not in the image",)),
        record(hours=48, outcome="fail", rpo_seconds=1, rto_seconds=950, problems=("RTO 950 s, at most 900 s",)),
        record(hours=24, kind="drill", outcome="fail", problems=("the restore hung",)),
        record(rpo_seconds=1, rto_seconds=700),
    ),
    rto_limit=900,
)


def test_restores_are_shown_over_time_with_their_limits_and_outcomes_in_colours() -> None:
    page = report_html(make_record(steps=(), releases=(), restores=(RESTORES,)))
    assert page.count("<svg") == 1
    for said in ("RPO, s", "RTO, s", "at most 900 s", "pass", "fail or broken", "unknown"):
        assert f">{said}</text>" in page
    [picture] = re.findall("<svg.*?</svg>", page, flags=re.DOTALL)
    for colour in ("#228833", "#cc3311", "#888888"):
        assert colour in picture


def test_the_last_proof_and_drill_are_told_and_unknown_is_not_green() -> None:
    page = report_html(make_record(restores=(RESTORES,)))
    drill = "drill 2026-03-07 12:00 UTC: unknown, RTO 2 s: pages: "
    assert f'<span class="open">{drill}| not in the image</span>' in page
    assert '<span class="bad">proof 2026-03-06 12:00 UTC: fail, RPO 1 s, RTO 950 s' in page
    assert f"* production: last {drill}\\| not in the image" in report_markdown(make_record(restores=(RESTORES,)))


def test_a_release_that_cut_connections_is_not_said_to_have_failed_none():
    cut = EndedConnections(service="web", connections=2, seconds=30)
    seen = ReleaseFigures(environment="production", ended=(cut,))

    assert seen.counted() == "0 requests, 2 cut"
    assert ReleaseFigures(environment="production").counted() == "0 requests, 0 failed"


WHOLE = {
    "outcome": "rejected",
    "kind": "rollback",
    "reason": "not good",
    "requested_by": "ada",
    "skipped": ("1" * 40,),
    "unproven": ("uploads",),
    "losses": ("what they wrote",),
    "acceptance": (FAILED,),
    "checks": (CheckResult(environment="production", label="/health", at="before", problem="no answer"),),
    "hooks": (HookResult(environment="production", label="purge", at="after_release"),),
    "takeovers": (Takeover(environment="production", taken_from="r0", by="r1", at=NOON, sequence=2),),
    "rehearsals": (Rehearsal(app="shop", inputs="", at=NOON, live="old", release="new", data=SCHEMA_ALONE),),
    "infrastructure": (
        InfrastructurePlan(
            sha256="c0ffee" + "0" * 58,
            app="shop",
            environment="production",
            stack="infra",
            workspace="production",
            run="r1",
            made_at=NOON,
            expires_at=NOON,
            changes_anything=True,
        ),
    ),
    "restores": (RESTORES,),
}
ELSEWHERE = {"run_name", "gate", "report"}  # the page has a name of its own, the gate's words, and is the report


@pytest.mark.parametrize(
    "field", sorted({name for name, one in DeliveryRecord.model_fields.items() if not one.is_required()} - ELSEWHERE)
)
def test_the_page_shows_all_that_the_record_holds(field: str) -> None:
    record = make_record(**WHOLE)
    empty = DeliveryRecord.model_fields[field].get_default()

    assert getattr(record, field) != empty
    assert report_html(record) != report_html(record.model_copy(update={field: empty}))
