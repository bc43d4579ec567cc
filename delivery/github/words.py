"""How GitHub is told what: its words for how far something is, and the comment on a pull request."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from delivery.ports.announcements import ENDED, Announcement, Progress, Subject

StatusState = Literal["pending", "success", "failure", "error"]
DeploymentState = Literal["queued", "in_progress", "success", "failure", "error"]
MOST_LETTERS = 140  # of a description; GitHub refuses a longer one
STATUS: dict[Progress, StatusState] = {
    "queued": "pending",
    "waits": "pending",
    "running": "pending",
    "passed": "success",
    "refused": "failure",
    "broken": "error",
}
DEPLOYMENT: dict[Progress, DeploymentState] = {
    "queued": "queued",
    "waits": "queued",
    "running": "in_progress",
    "passed": "success",
    "refused": "failure",
    "broken": "error",
}
_SHOWN: dict[Progress, str] = {
    "queued": "not begun",
    "waits": "waits for approval",
    "running": "in progress",
    "passed": "passed",
    "refused": "failed",
    "broken": "error",
}
_STARTED = re.compile(r"^<!-- started (\S+) -->$", re.MULTILINE)


def context(subject: Subject, part: str) -> str:
    """Return the name of a commit status: an application of several in one repository has its own."""
    return f"headway/{subject.app}/{part}"


def described(news: Announcement) -> str:
    """Return its text in one line of no more letters than GitHub takes."""
    text = " ".join((news.text or _SHOWN[news.progress]).split())
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"


def marker(subject: Subject) -> str:
    """Return the hidden line that the application's comment begins with."""
    return f"<!-- headway delivers {subject.app} -->"


def comment(subject: Subject, news: Sequence[Announcement]) -> str:
    """Return the comment on a pull request."""
    link = f"[{subject.name}]({subject.url})" if subject.url else subject.name
    rows = [f"| {one.part} | {_SHOWN[one.progress]} | {_told(one)} |" for one in news]
    return "\n".join(
        [
            marker(subject),
            f"<!-- started {subject.started.isoformat()} -->",
            f"### {link}",
            "",
            f"{'Goes back to' if subject.goes_back else 'Commit'} {subject.sha}, run {subject.run[:8]}",
            "",
            "| part | state | |",
            "| --- | --- | --- |",
            *rows,
        ]
    )


def is_of_later_run(body: str, subject: Subject) -> bool:
    """Whether a comment is about a run that started after this one: it stays as it is."""
    found = _STARTED.search(body)
    try:
        return found is not None and datetime.fromisoformat(found[1]) > subject.started
    except (ValueError, TypeError):
        return False


def _told(news: Announcement) -> str:
    """Return its text and its link; as code, so that nothing in it is a table's end, a link or somebody's name."""
    text = " ".join(news.text.split()).replace("`", "'").replace("|", "\\|")
    site = f" {news.site}" if news.site and news.progress in ENDED else ""
    return f"{f'`{text}`' if text else ''}{site}"
