"""What stands in headway.yaml about the repository: where it is, how it is reached, what a push to it starts."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from delivery.globs import Glob
from delivery.model import Model, Name

_ADDRESS = re.compile(r"(https|ssh|file)://[^\s#]+|[\w.+-]+@[\w.-]+:[^\s#]+", re.IGNORECASE)
_PASSWORD = re.compile(r"^(https://[^/@]*@|[a-z]+://[^/@]*:[^/@]*@)", re.IGNORECASE)


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise ValueError(
            f"found {text!r}; allowed: an address like https://HOST/OWNER/NAME.git or git@HOST:OWNER/NAME.git"
        )
    if _PASSWORD.match(text):
        raise ValueError("holds a user or a password; allowed: an address without, and `token` beside it")
    return text


def _pattern(text: str) -> str:
    if not text or text.startswith("/") or ".." in PurePosixPath(text).parts:
        raise ValueError(f"found {text!r}; allowed: a pattern like main, release/*, docs/** without / at its beginning")
    return text


Address = Annotated[str, AfterValidator(_address)]
Pattern = Annotated[str, AfterValidator(_pattern)]


class Repository(Model):
    """Where the commits come from, and which of them are delivered by themselves."""

    url: Address | None = Field(None, description="of the repository; none: deliveries are started by people")
    deploy_key: str | None = Field(None, description="secret with the private key by which an SSH address is fetched")
    token: str | None = Field(None, description="secret with the token by which an HTTPS address is fetched")
    branches: dict[Pattern, Name] = Field({}, description="pattern of branches: environment that a push delivers to")
    tags: dict[Pattern, Name] = Field({}, description="pattern of tags: environment that a pushed tag delivers to")
    paths: tuple[Pattern, ...] = Field((), description="a push that changes none of these files starts nothing")
    paths_ignore: tuple[Pattern, ...] = Field((), description="a push that changes these files alone starts nothing")
    after_workflow: str | None = Field(
        None, description="workflow that has to succeed on a branch's commit first; none: the push itself delivers"
    )
    pull_requests: Literal["none", "own", "all"] = Field(
        "own", description="whose are built and tested; all: those of forks too, with no secret and no reach"
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.deploy_key and self.token:
            raise ValueError("token: there is a deploy_key already; allowed: one of them")
        is_https = (self.url or "").lower().startswith("https://")
        if self.token and not is_https:
            raise ValueError("token: needs a url that begins with https://; allowed for another one: deploy_key")
        if self.deploy_key and (self.url is None or is_https or self.url.startswith("file:")):
            raise ValueError("deploy_key: needs a url of SSH, like git@HOST:OWNER/NAME.git; allowed for https: token")
        return self

    @property
    def secrets(self) -> dict[str, str]:
        """The secrets that are named, each under its key."""
        named = {"deploy_key": self.deploy_key, "token": self.token}
        return {key: name for key, name in named.items() if name}

    def environment_of_branch(self, branch: str) -> str | None:
        """Return where a push to a branch goes: as the first pattern says that fits."""
        return _first(self.branches, branch)

    def environment_of_tag(self, tag: str) -> str | None:
        """Return where a tag goes: as the first pattern says that fits."""
        return _first(self.tags, tag)

    def counts(self, file: str) -> bool:
        """Whether a change of this file, relative to headway.yaml, is one that is delivered."""
        wanted = not self.paths or any(matches(pattern, file) for pattern in self.paths)
        return wanted and not any(matches(pattern, file) for pattern in self.paths_ignore)


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern is of a name: `*` crosses no `/`, `**` does."""
    return Glob(PurePosixPath("/", pattern)).matches(PurePosixPath("/", text))


def _first(patterns: dict[str, str], name: str) -> str | None:
    return next((environment for pattern, environment in patterns.items() if matches(pattern, name)), None)
