"""Reports are found wherever a suite leaves them, each of them once, and nothing that the suite did not write."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.models.containers import Container

from delivery.changes.ledger import run_labels
from delivery.docker.engine.client import connect
from delivery.docker.images.bases import resolve_base
from delivery.docker.sandbox import reports
from delivery.docker.sandbox.reports import copy_out
from delivery.home import Home

pytestmark = pytest.mark.docker
WRITES = r"""set -e
mkdir -p /out/a /out/a-b /out/dir.xml /kept/run /far/away
echo one >/out/a-b/c.xml; echo two >/out/a/b-c.xml
echo kept >/kept/run/r.xml; ln -s /kept/run /out/latest; ln -s ../kept/run /out/relative
ln -s /kept/run/r.xml /out/l.xml
ln -s /far /near; echo far >/far/away/f.xml
ln -s . /out/circle; ln -s loop-b /out/loop-a; ln -s loop-a /out/loop-b; ln -s /nowhere /out/gone.xml
mkdir -p /hard; echo hard >/hard/.first; ln /hard/.first /hard/second.xml
mkdir -p /big; truncate -s 90M /big/core; echo small >/big/s.xml; mkdir -p /huge; truncate -s 80M /huge/h.xml
mkdir -p /odd; echo odd >"$(printf '/odd/b\377d\nname.xml')"; echo long >/odd/$(printf 'n%.0s' $(seq 200)).xml
mkdir -p /old; echo old >/old/o.xml; touch -d '2020-01-01' /old/o.xml
"""


@pytest.fixture(scope="module")
def container() -> Iterator[Container]:
    """A container that has ended and left all kinds of files."""
    home = Home.current()
    image = resolve_base("busybox:1.36", home=home).used
    labels = run_labels(home.identity, secrets.token_hex(4), "cell")
    made = connect().containers.create(image, ["sh", "-c", WRITES], labels=labels, working_dir="/out")
    try:
        made.start()
        assert made.wait()["StatusCode"] == 0, made.logs()
        yield made
    finally:
        made.remove(force=True, v=True)


def texts(container: Container, pattern: str, folder: Path) -> dict[str, str]:
    found = copy_out(container, pattern, folder)
    assert found.problem == ""
    return {name: (folder / name).read_text().strip("\n\0") for name in found.names}


def test_reports_whose_paths_look_alike_are_all_kept(container, tmp_path):
    assert texts(container, "/out/a*/*.xml", tmp_path) == {"a-b/c.xml": "one", "a/b-c.xml": "two"}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("/out/l.xml", {"l.xml": "kept"}),
        ("/out/*.xml", {"l.xml": "kept"}),
        ("/out/latest/*.xml", {"r.xml": "kept"}),
        ("/out/relative/*.xml", {"r.xml": "kept"}),
        ("/out/la*/*.xml", {"latest/r.xml": "kept"}),
        ("/out/lat*/**/*.xml", {"latest/r.xml": "kept"}),
        ("/near/away/*.xml", {"f.xml": "far"}),
        ("/near/**/*.xml", {"away/f.xml": "far"}),
        ("l.xml", {"l.xml": "kept"}),
        ("../near/*/f.xml", {"away/f.xml": "far"}),
    ],
)
def test_a_report_behind_a_link_is_found(container, tmp_path, pattern, found):
    assert texts(container, pattern, tmp_path) == found


def test_links_in_circles_and_to_nowhere_keep_nothing_from_being_found(container, tmp_path):
    found = texts(container, "/out/**/*.xml", tmp_path)
    assert sorted(found.values()) == ["kept", "one", "two"]


def test_a_hard_link_is_a_report_like_any_other(container, tmp_path):
    assert texts(container, "/hard/*.xml", tmp_path) == {"second.xml": "hard"}


def test_only_reports_count_for_the_limit(container, tmp_path):
    assert texts(container, "/big/*.xml", tmp_path) == {"s.xml": "small"}


def test_a_report_above_the_limit_is_told_with_the_file_the_limit_and_the_next_step(container, tmp_path):
    found = copy_out(container, "/huge/*.xml", tmp_path)
    assert found.problem.startswith("/huge/h.xml has 83.9 MB, with it the reports have more than the 64 MB that are")
    assert "next: keep output of tests out of the report, or name fewer files in `junit`" in found.problem


def test_a_report_that_did_not_come_from_the_suite_is_left(container, tmp_path):
    found = copy_out(container, "/old/*.xml", tmp_path)
    assert (found.names, found.stale) == ([], ["/old/o.xml"])
    assert found.looked == "looked for /old/*.xml: /old/o.xml is older than the cell, it came with the image"


def test_a_name_that_nobody_can_read_is_written_so_that_everybody_can(container, tmp_path):
    found = copy_out(container, "/odd/*.xml", tmp_path)
    assert found.names[0] == "b%FFd%0Aname.xml"
    assert len(found.names[1]) < 120
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == ["long\n", "odd\n"]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("/out", "looked for /out, which is a folder: write /out/*.xml"),
        ("/out/", "looked for /out, which is a folder: write /out/*.xml"),
        ("/out/dir.xml", "looked for /out/dir.xml, which is a folder: write /out/dir.xml/*.xml"),
        ("/none/*.xml", "looked for /none/*.xml: there is no /none"),
        ("/out/*.json", "looked for /out/*.json"),
        ("loop-a/*.xml", "looked for /out/loop-a/*.xml: there is no /out/loop-a"),
    ],
)
def test_it_is_told_where_nothing_was_found(container, tmp_path, pattern, said):
    found = copy_out(container, pattern, tmp_path)
    assert (found.names, found.problem, found.looked) == ([], "", said)


@pytest.mark.parametrize("pattern", ["/huge/*.xml", "/out/**/*.xml", "/none/*.xml"])
def test_every_answer_of_the_engine_is_closed(container, tmp_path, monkeypatch, pattern):
    api, answers = container.client.api, []
    ask = api.request

    def asked(*args, **more):
        answers.append(ask(*args, **more))
        return answers[-1]

    monkeypatch.setattr(api, "request", asked)

    copy_out(container, pattern, tmp_path)

    assert answers
    assert all(answer.raw.closed for answer in answers)


def test_the_answer_is_closed_also_after_an_error(container, tmp_path, monkeypatch):
    answers, ask = [], container.client.api.request

    def asked(*args, **more):
        answers.append(ask(*args, **more))
        return answers[-1]

    monkeypatch.setattr(container.client.api, "request", asked)
    monkeypatch.setattr(reports._Search, "_take", lambda *_: (_ for _ in ()).throw(OSError("disk full")))

    with pytest.raises(OSError, match="disk full"):
        copy_out(container, "/out/a/*.xml", tmp_path)

    assert all(answer.raw.closed for answer in answers)
