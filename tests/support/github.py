"""A GitHub that behaves: what it is asked and what it answers is checked against GitHub's own description."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.github_description import least, problems_of_answer, problems_of_request

TOKEN = "ghs_canary4d1f"
REPOSITORY = "acme/shop"
LONGEST_DESCRIPTION = 140
Answer = tuple[int, Any]


@dataclass
class FakeGitHub:
    """One repository; what is set here is what happens from then on."""

    url: str = ""
    rights: set[str] = field(default_factory=lambda: {"statuses", "deployments", "comments"})
    is_down: bool = False
    held: threading.Event = field(default_factory=threading.Event)  # nobody is answered while it is not set
    limited: list[int] = field(default_factory=list)  # seconds of retry-after of the next answers
    association: str = "COLLABORATOR"  # of whoever the token is of
    together: threading.Barrier | None = None  # those who are about to make a comment wait for one another
    pulls: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    deployments: dict[int, dict[str, Any]] = field(default_factory=dict)
    states: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    number: int = 100

    def open_pull(self, number: int, head: str, merged_as: str | None = None) -> None:
        self.pulls.append(pull_answer(number, head, merged_as))

    def say(self, pull: int, body: str, association: str) -> None:
        """Let somebody comment."""
        self._comment(pull, body, association)

    def bodies(self, pull: int = 7) -> list[str]:
        return [one["body"] for one in self.comments.values() if one["issue_url"].endswith(f"/{pull}")]

    def told(self, part: str) -> list[tuple[str, str]]:
        """Return state and description of every status of a part, the oldest first."""
        return [(one["state"], one["description"]) for one in self.statuses if one["context"].endswith(f"/{part}")]

    def went(self, environment: str) -> list[list[str]]:
        """Return the states of every deployment to an environment, the oldest first."""
        found = [number for number, one in self.deployments.items() if one["environment"] == environment]
        return [[one["state"] for one in self.states[number]] for number in sorted(found)]

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, token: str) -> Answer:
        """Return what GitHub would answer."""
        with self.lock:
            self.asked.append(f"{method} {path}")
            self.problems += problems_of_request(method, path, query, body)
        if token != f"token {TOKEN}":
            return 401, {"message": "Bad credentials"}
        rest = path.removeprefix(f"/repos/{REPOSITORY}")
        right = "comments" if "/issues/" in rest else "deployments" if rest.startswith("/deployments") else "statuses"
        if right not in self.rights and "/pulls" not in rest:
            return 403, {"message": "Resource not accessible by integration"}
        if method == "POST" and "/issues/" in rest and self.together:
            self.together.wait(timeout=30)
        with self.lock:
            status, said = self._act(method, rest, query, body)
            if status < 400:
                self.problems += problems_of_answer(method, path, status, said)
        return status, said

    def _act(self, method: str, rest: str, query: dict[str, str], body: Any) -> Answer:
        if len((body or {}).get("description") or "") > LONGEST_DESCRIPTION:
            return 422, {"message": "description is too long (maximum is 140 characters)"}
        if re.fullmatch(r"/statuses/[0-9a-f]{40}", rest):
            self.statuses.append({"sha": rest[-40:], **body})
            return 201, status_answer(self._next(), body)
        if re.fullmatch(r"/commits/[0-9a-f]{40}/pulls", rest):
            return 200, [one for one in self.pulls if rest[9:49] in (one["head"]["sha"], one["merge_commit_sha"])]
        if rest.startswith("/deployments"):
            return self._deployments(method, rest, query, body)
        return self._comments(method, rest, query, body)

    def _deployments(self, method: str, rest: str, query: dict[str, str], body: Any) -> Answer:
        if rest == "/deployments" and method == "GET":
            wanted = {key: value for key, value in query.items() if key in ("sha", "environment")}
            found = [one for one in self.deployments.values() if wanted.items() <= one.items()]
            return 200, sorted(found, key=lambda one: -one["id"])
        if rest == "/deployments":
            pending = any(one["state"] == "pending" for one in self.statuses if one["sha"] == body["ref"])
            if pending and body.get("required_contexts") != []:
                return 409, {"message": "Conflict: Commit status checks failed"}
            number = self._next()
            self.deployments[number], self.states[number] = deployment_answer(number, body), []
            return 201, self.deployments[number]
        number = int(rest.split("/")[2])
        if method == "GET":
            return 200, list(reversed(self.states[number]))[: int(query.get("per_page", 30))]
        self.states[number].append(state_answer(self._next(), body))
        if body["state"] == "success" and body.get("auto_inactive", True):
            self._end_others(number)
        return 201, self.states[number][-1]

    def _end_others(self, number: int) -> None:
        """Do as GitHub does by itself, whichever application it is of."""
        environment = self.deployments[number]["environment"]
        for other, one in self.deployments.items():
            if other != number and one["environment"] == environment != "production":
                self.states[other].append(state_answer(self._next(), {"state": "inactive"}))

    def _comments(self, method: str, rest: str, query: dict[str, str], body: Any) -> Answer:
        on_pull = re.fullmatch(r"/issues/([0-9]+)/comments", rest)
        if on_pull and method == "GET":
            found = [one for one in self.comments.values() if one["issue_url"].endswith(f"/{on_pull[1]}")]
            size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
            return 200, found[size * (page - 1) : size * page]
        if on_pull:
            return 201, self._comment(int(on_pull[1]), body["body"], self.association)
        number = int(rest.rpartition("/")[2])
        if number not in self.comments:
            return 404, {"message": "Not Found"}
        if method == "DELETE":
            del self.comments[number]
            return 204, None
        self.comments[number]["body"] = body["body"]
        return 200, self.comments[number]

    def _comment(self, pull: int, body: str, association: str) -> dict[str, Any]:
        number = self._next()
        self.comments[number] = comment_answer(number, pull, body, association)
        return self.comments[number]

    def _next(self) -> int:
        self.number += 1
        return self.number


@contextmanager
def fake_github() -> Iterator[FakeGitHub]:
    """Serve one until the end; then nothing that was asked or answered may be other than GitHub describes it."""
    fake = FakeGitHub()
    fake.held.set()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake)) as server:
        fake.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield fake
        finally:
            server.shutdown()
    assert fake.problems == [], fake.problems


def _handler(fake: FakeGitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1  # an answer is sent as a whole: in two parts the second one waits for a receipt

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            fake.held.wait(timeout=60)
            if fake.is_down:
                self._send(502, {"message": "Server Error"})
                return
            if fake.limited:
                seconds = fake.limited.pop(0)
                self._send(403, {"message": "You have exceeded a secondary rate limit"}, {"retry-after": str(seconds)})
                return
            address = urlsplit(self.path)
            query = dict(parse_qsl(address.query))
            token = self.headers.get("Authorization", "")
            self._send(*fake.answer(self.command, address.path, query, json.loads(content or b"null"), token))

        do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815

        def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
            content = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler


def status_answer(number: int, body: dict[str, Any]) -> dict[str, Any]:
    return least("status", id=number, **body)


def deployment_answer(number: int, body: dict[str, Any]) -> dict[str, Any]:
    named = {key: body.get(key) for key in ("ref", "task", "environment", "payload", "description")}
    return least("deployment", id=number, sha=body["ref"], **named)


def state_answer(number: int, body: dict[str, Any]) -> dict[str, Any]:
    return least("deployment-status", id=number, **{key: body[key] for key in body if key != "auto_inactive"})


def comment_answer(number: int, pull: int, body: str, association: str) -> dict[str, Any]:
    where = f"https://api.example/repos/{REPOSITORY}/issues/{pull}"
    return least(
        "issue-comment",
        id=number,
        body=body,
        issue_url=where,
        author_association=association,
        user=least("simple-user", type="User"),
    )


def pull_answer(number: int, head: str, merged_as: str | None) -> dict[str, Any]:
    """Return a pull request as a list shows it."""
    end = {"label": "acme:change", "ref": "change", "repo": least("repository"), "sha": head, "user": None}
    state = "closed" if merged_as else "open"
    return least("pull-request-simple", number=number, head=end, state=state, merge_commit_sha=merged_as)
