"""Tell GitHub how far a run is: commit statuses, deployments, and one comment on the pull request."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import SecretStr

from delivery.github.client import Repository, connected
from delivery.github.words import DEPLOYMENT, STATUS, comment, context, described, is_of_later_run, marker
from delivery.ports.announcements import ENDED, Announcement, NotTold, Subject
from delivery.spec.github import GitHub

MOST_REPLACED = 5  # deployments that are looked at for one that a newer one replaces
TEAM = ("OWNER", "MEMBER", "COLLABORATOR")
Kind = Callable[[Repository, Sequence[Announcement]], None]


class GitHubAnnouncements:
    """Tells of one run; what is switched off in headway.yaml, or was refused for good, is not told."""

    def __init__(self, config: GitHub, token: SecretStr, subject: Subject, known: Iterable[Announcement] = ()) -> None:
        self._config, self._token, self._subject = config, token, subject
        self._statuses = {one.part: one for one in known}
        self._states = {one.part: one for one in known}
        self._commented: tuple[Announcement, ...] = ()
        self._deployments: dict[str, int | None] = {}
        wanted: dict[Kind, bool] = {
            self._tell_statuses: config.statuses,
            self._tell_deployments: config.deployments,
            self._tell_comment: config.comment,
        }
        self._kinds = [kind for kind, is_wanted in wanted.items() if is_wanted]

    def tell(self, news: Sequence[Announcement]) -> None:
        """Tell what is new; one kind that fails keeps no other from being tried. Raises NotTold with all of it."""
        failures: list[NotTold] = []
        with connected(self._config, self._token) as repository:
            for kind in list(self._kinds):
                try:
                    kind(repository, news)
                except NotTold as error:
                    failures.append(error)
                    if error.again_seconds is None:  # the next time it would be refused as well
                        self._kinds.remove(kind)
        if failures:
            waits = [one.again_seconds for one in failures if one.again_seconds is not None]
            text = "; ".join(dict.fromkeys(map(str, failures)))
            raise NotTold(text, max(waits) if waits else None)

    def _tell_statuses(self, repository: Repository, news: Sequence[Announcement]) -> None:
        for one in news:
            if self._statuses.get(one.part) == one:
                continue
            status = {"state": STATUS[one.progress], "context": context(self._subject, one.part)}
            link = {"target_url": self._subject.url} if self._subject.url else {}
            repository.set_status(self._subject.sha, {**status, "description": described(one), **link})
            self._statuses[one.part] = one

    def _tell_deployments(self, repository: Repository, news: Sequence[Announcement]) -> None:
        for one in news:
            if not one.is_environment or one.progress == "queued" or self._states.get(one.part) == one:
                continue
            deployment = self._deployment(repository, one)
            if deployment is not None:
                repository.set_deployment_state(deployment, self._deployment_status(one))
                if one.progress == "passed":
                    self._end_replaced(repository, one.part, deployment)
            self._states[one.part] = one

    def _deployment_status(self, news: Announcement) -> dict[str, Any]:
        links = {"log_url": self._subject.url, "environment_url": news.site}
        return {
            "state": DEPLOYMENT[news.progress],
            "description": described(news),
            "auto_inactive": False,  # of another application in the same repository it is none of ours
            **{key: link for key, link in links.items() if link},
        }

    def _deployment(self, repository: Repository, news: Announcement) -> int | None:
        """Return the run's deployment to an environment; made now where it begins, none where nothing ever began."""
        environment = news.part
        if self._deployments.get(environment) is None:
            query = {"sha": self._subject.sha, "environment": environment, "per_page": "30"}
            ours = [one["id"] for one in repository.deployments(query) if _payload(one).get("run") == self._subject.run]
            self._deployments[environment] = ours[0] if ours else None
        if self._deployments[environment] is None and (news.has_begun or news.progress not in ENDED):
            self._deployments[environment] = repository.deploy(self._new_deployment(environment))
        return self._deployments[environment]

    def _new_deployment(self, environment: str) -> dict[str, Any]:
        return {
            "ref": self._subject.sha,
            "environment": environment,
            "task": "deploy:rollback" if self._subject.goes_back else "deploy",
            "auto_merge": False,
            "required_contexts": [],  # what has to pass is the delivery's affair, and its own are under way
            "description": self._subject.name[:140],
            "payload": {"app": self._subject.app, "run": self._subject.run},
        }

    def _end_replaced(self, repository: Repository, environment: str, deployment: int) -> None:
        """Make inactive what was live before: of production GitHub would go on showing both."""
        query = {"environment": environment, "per_page": "30"}
        before = [
            one["id"]
            for one in repository.deployments(query)
            if one["id"] != deployment and _payload(one).get("app") == self._subject.app
        ]
        for earlier in before[:MOST_REPLACED]:
            if repository.deployment_state(earlier) == "success":
                text = f"replaced by {self._subject.name}"[:140]
                repository.set_deployment_state(earlier, {"state": "inactive", "description": text})

    def _tell_comment(self, repository: Repository, news: Sequence[Announcement]) -> None:
        if self._commented == tuple(news):
            return
        for pull in self._pulls(repository):
            self._keep_current(repository, pull, comment(self._subject, news))
        self._commented = tuple(news)

    def _pulls(self, repository: Repository) -> list[int]:
        """Return the pull requests that end, or ended, with this very commit."""
        sha = self._subject.sha
        found = repository.pull_requests(sha)
        return [one["number"] for one in found if sha in (one["head"]["sha"], one["merge_commit_sha"])]

    def _keep_current(self, repository: Repository, pull: int, text: str) -> None:
        """Make sure that one comment says `text`, whoever else makes or edits it now.

        Two runs that found none make one each; both look again, keep the first one and remove the others.
        """
        ours = self._ours(repository, pull)
        if not ours:
            made = repository.add_comment(pull, text)
            ours = self._ours(repository, pull)
            if [number for number, _ in ours] == [made]:
                return
        if not ours:
            return  # somebody removed it at once
        (first, body), *others = ours
        for number, _ in others:
            repository.remove_comment(number)
        if body != text and not is_of_later_run(body, self._subject):
            repository.edit_comment(first, text)

    def _ours(self, repository: Repository, pull: int) -> list[tuple[int, str]]:
        """Return number and text of the application's comments, the first one first; not those of strangers."""
        begins = marker(self._subject)
        found = (one for one in repository.comments(pull) if str(one.get("body") or "").startswith(begins))
        return sorted((one["id"], one["body"]) for one in found if _may_be_ours(one))


def _may_be_ours(comment_: dict[str, Any]) -> bool:
    """Whether it was written by a program or by somebody of the team: anybody can write the hidden line."""
    user = comment_.get("user") or {}
    return user.get("type") == "Bot" or comment_.get("author_association") in TEAM


def _payload(deployment: dict[str, Any]) -> dict[str, Any]:
    payload = deployment.get("payload")
    return payload if isinstance(payload, dict) else {}
