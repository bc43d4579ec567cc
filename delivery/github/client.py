"""The calls of GitHub's REST API that Headway makes, and what their failures mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from githubkit import GitHub, TokenAuthStrategy
from githubkit.exception import GitHubException, RateLimitExceeded, RequestError, RequestFailed
from pydantic import SecretStr

from delivery.ports.announcements import NotTold
from delivery.spec.github import GitHub as Config

CALL_SECONDS = 5.0  # for a connection, and for each part of an answer
AGAIN_SECONDS = 5.0  # when GitHub does not answer, or not in order
PAGE = 100
MOST_PAGES = 10
# Named, so that a newer one changes nothing here; GitHub Enterprise knows it as well.
VERSION = {"X-GitHub-Api-Version": "2022-11-28"}


@contextmanager
def connected(config: Config, token: SecretStr) -> Iterator["Repository"]:
    """Yield the repository over one connection."""
    with GitHub(
        TokenAuthStrategy(token.get_secret_value()),
        base_url=config.api_url,
        user_agent="headway",
        timeout=httpx.Timeout(CALL_SECONDS),
        http_cache=False,
        auto_retry=False,  # it would wait for as long as GitHub says, once and again
    ) as api:
        yield Repository(api, config.repository)


class Repository:
    """One repository; every call raises NotTold when it fails."""

    def __init__(self, api: GitHub[TokenAuthStrategy], name: str) -> None:
        self._api, self._path = api, f"/repos/{name}"

    def set_status(self, sha: str, status: dict[str, str]) -> None:
        """Add a commit status."""
        self._call("POST", f"/statuses/{sha}", "commit statuses: write", status)

    def deployments(self, query: dict[str, str]) -> list[dict[str, Any]]:
        """Return the newest deployments that fit, the newest first."""
        return self._list("/deployments", "deployments: read", query)

    def deploy(self, deployment: dict[str, Any]) -> int:
        """Return the number of a new deployment."""
        return int(self._call("POST", "/deployments", "deployments: write", deployment)["id"])

    def deployment_state(self, deployment: int) -> str:
        """Return the newest state of a deployment; empty: it has none yet."""
        path, query = f"/deployments/{deployment}/statuses", {"per_page": "1"}
        found = self._list(path, "deployments: read", query)
        return str(found[0]["state"]) if found else ""

    def set_deployment_state(self, deployment: int, status: dict[str, Any]) -> None:
        """Add a status to a deployment."""
        self._call("POST", f"/deployments/{deployment}/statuses", "deployments: write", status)

    def pull_requests(self, sha: str) -> list[dict[str, Any]]:
        """Return the pull requests that a commit is part of."""
        return self._list(f"/commits/{sha}/pulls", "pull requests: read", {"per_page": str(PAGE)})

    def comments(self, pull: int) -> Iterator[dict[str, Any]]:
        """Yield the comments of a pull request, the oldest first."""
        for page in range(1, MOST_PAGES + 1):
            query = {"per_page": str(PAGE), "page": str(page)}
            found = self._list(f"/issues/{pull}/comments", "pull requests: write", query)
            yield from found
            if len(found) < PAGE:
                return

    def add_comment(self, pull: int, body: str) -> int:
        """Return the number of a new comment."""
        return int(self._call("POST", f"/issues/{pull}/comments", "pull requests: write", {"body": body})["id"])

    def edit_comment(self, comment: int, body: str) -> None:
        """Replace the text of a comment."""
        self._call("PATCH", f"/issues/comments/{comment}", "pull requests: write", {"body": body})

    def remove_comment(self, comment: int) -> None:
        """Make sure there is no such comment."""
        self._call("DELETE", f"/issues/comments/{comment}", "pull requests: write", may_be_gone=True)

    def _list(self, path: str, right: str, query: dict[str, str]) -> list[dict[str, Any]]:
        return list(self._call("GET", path, right, query=query))

    def _call(
        self,
        method: str,
        path: str,
        right: str,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        *,
        may_be_gone: bool = False,
    ) -> Any:
        try:
            answer = self._api.request(method, self._path + path, json=body, params=query, headers=VERSION)
            return answer.json() if answer.content else {}
        except RequestFailed as error:
            if may_be_gone and error.response.status_code == httpx.codes.NOT_FOUND:
                return {}
            raise _in_words(error, right) from error
        except (GitHubException, ValueError) as error:  # the second: what answers is no GitHub
            cause = error.exc if isinstance(error, RequestError) else error
            raise NotTold(f"GitHub does not answer: {cause or type(cause).__name__}", AGAIN_SECONDS) from error


def _in_words(error: RequestFailed, right: str) -> NotTold:
    """Return what an answer that is a refusal means, and whether asking again may help."""
    status = error.response.status_code
    if isinstance(error, RateLimitExceeded):
        seconds = max(1.0, error.retry_after.total_seconds())
        return NotTold(f"GitHub limits how often it is asked, for {seconds:.0f} s more", seconds)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS:
        return NotTold(f"GitHub answers {status}", AGAIN_SECONDS)
    if status == httpx.codes.UNAUTHORIZED:
        return NotTold("GitHub does not know the token")
    said = f"GitHub answers {status} ({_message(error)})"
    if status in (httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND):
        return NotTold(f"{said}: the token needs the right `{right}` for the repository")
    return NotTold(said)


def _message(error: RequestFailed) -> str:
    try:
        return str(error.response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return "no reason given"
