"""The receiver: an HTTP application that takes what others send, once it is proven to be theirs and is on the disk."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Path, Request
from fastapi.responses import JSONResponse
from pydantic import SecretStr
from starlette.requests import ClientDisconnect

from delivery.errors import HeadwayError
from delivery.hooks import aws, bounds, github, registry
from delivery.hooks.arrival import Arrival, Happening, Source
from delivery.hooks.connections import Connection, Connections
from delivery.hooks.reading import object_of
from delivery.hooks.refusal import Refused
from delivery.hooks.sns import Message
from delivery.hooks.spool import Delivery
from delivery.model import Model
from delivery.platform.intake import Intake

QUIET_SECONDS, MOST_TOLD = 60.0, 20
Fetch = Callable[[str], bytes]
_log = logging.getLogger("headway.hooks")


class Taken(Model):
    """What became of a request."""

    kept: int = 0
    known: bool = False


class Answer(Model):
    """Why a request was not taken."""

    error: str


class Bodies:
    """Bodies that are being read: each for a limited length and time, and not too many at once."""

    def __init__(self, *, seconds: float = bounds.BODY_SECONDS, held_bytes: int = bounds.HELD_BYTES) -> None:
        self._seconds, self._held_bytes, self._held = seconds, held_bytes, 0

    async def read(self, request: Request, source: Source) -> bytes:
        """Return the body of a request; Refused as soon as it is too long, too slow, or no room is left."""
        bounds.check_media_type(source, request.headers.get("content-type", ""))
        bounds.check_length(source, request.headers.get("content-length"))
        body, size = list[bytes](), 0
        try:
            async with asyncio.timeout(self._seconds):
                async for chunk in request.stream():
                    size += len(chunk)
                    self._held += len(chunk)
                    bounds.check_size(source, size)
                    if self._held > self._held_bytes:
                        raise Refused(503, "too much is sent at once")
                    body.append(chunk)
        except TimeoutError:
            raise Refused(408, "the body did not come in time") from None
        except ClientDisconnect:
            raise Refused(400, "the body ended too early") from None
        finally:
            self._held -= size
        return b"".join(body)


class Refusals:
    """What was refused, in the log: the same once a minute, and no more than a few, whoever sends how much."""

    def __init__(self, now: Callable[[], float] = time.monotonic, say: Callable[[str], None] = _log.warning) -> None:
        self._now, self._say = now, say
        self._told: dict[str, float] = {}

    def tell(self, text: str) -> None:
        """Log a refusal, unless it was logged within the last minute, or too many others were."""
        now = self._now()
        self._told = {one: at for one, at in self._told.items() if now - at < QUIET_SECONDS}
        if text not in self._told and len(self._told) < MOST_TOLD:
            self._told[text] = now
            self._say(f"refused: {text}")


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": Taken, "description": "known already, or nothing follows from it"},
    202: {"model": Taken, "description": "kept"},
    **{
        status: {"model": Answer, "description": why}
        for status, why in {
            400: "not as its sender sends it",
            401: "not proven to be its sender's",
            408: "too slow",
            413: "too long",
            415: "of another type",
            503: "not taken now; to be sent again",
        }.items()
    },
}


def _takes(source: Source) -> dict[str, Any]:
    """Return how a request's body is described."""
    shape = {"type": "object", "additionalProperties": True}
    content = {media_type: {"schema": shape} for media_type in bounds.MEDIA_TYPES[source]}
    return {"requestBody": {"required": True, "content": content}}


Name = Annotated[str, Path(description="of the connection")]


class Receiver:
    """What is done with a request: read, proven, understood, kept, and only then answered."""

    def __init__(self, connections: Connections, intake: Intake, fetch: Fetch, bodies: Bodies | None = None) -> None:
        self.connections, self.intake, self.fetch = connections, intake, fetch
        self.bodies = bodies or Bodies()

    async def github(self, request: Request, name: str) -> JSONResponse:
        """Take a webhook of GitHub."""
        body = await self.bodies.read(request, "github")
        connection, secret = self._sender(name, "github")
        github.check_signature(secret, body, request.headers.get("x-hub-signature-256", ""))
        delivery = request.headers.get("x-github-delivery", "")
        if not 0 < len(delivery) <= 100 or not delivery.isprintable():
            raise Refused(400, "X-GitHub-Delivery is missing")
        content = object_of(body)
        found = github.read(request.headers.get("x-github-event", ""), content)
        if found and connection.repository and found.repository.lower() != connection.repository.lower():
            raise Refused(400, "it is of another repository than that of this connection")
        arrivals = _arrivals(connection, delivery, [found] if found else [])
        return await self._keep([Delivery.of(arrivals, name, delivery, body)])

    async def aws(self, request: Request, name: str) -> JSONResponse:
        """Take a message of SNS, or confirm that it shall send its messages here."""
        body = await self.bodies.read(request, "aws")
        connection, _ = self._sender(name, "aws")
        message = Message.of(object_of(body), connection.topics)
        message.check(await self._fetched(message.certificate_url))
        if message.type == "SubscriptionConfirmation":
            await self._fetched(message.subscribe_url)  # when that fails SNS sends it again
            _log.warning("%s: the subscription of %s is confirmed", name, message.topic)
            return _answer(200, Taken())
        found = aws.read(message.message) if message.type == "Notification" else []
        wanted = [one for one in found if one.kind != "alarm" or connection.is_alarm_of(one.subject)]
        arrivals = _arrivals(connection, message.identity, wanted)
        return await self._keep([Delivery.of(arrivals, name, message.identity, None)])

    async def registry(self, request: Request, name: str) -> JSONResponse:
        """Take the notifications of an image registry."""
        body = await self.bodies.read(request, "registry")
        connection, secret = self._sender(name, "registry")
        registry.check_bearer(secret, request.headers.get("authorization", ""))
        events = registry.read(object_of(body))
        return await self._keep(
            [Delivery.of(_arrivals(connection, one, [found]), name, one, None) for one, found in events]
        )

    def _sender(self, name: str, source: Source) -> tuple[Connection, SecretStr]:
        """Return the connection and its secret, or what proves nothing where there is none."""
        connection = self.connections.find(name) if name.isidentifier() or name.replace("-", "").isalnum() else None
        secret = self.connections.secret(name) if connection and connection.source == source else None
        if connection is None or not secret:
            raise Refused(401, "there is no such connection, or it is not proven to be its sender's")
        return connection, secret

    async def _fetched(self, url: str) -> bytes:
        try:
            return await asyncio.to_thread(self.fetch, url)
        except HeadwayError as error:
            _log.warning("%s", error)
            raise Refused(503, "SNS cannot be asked just now") from None

    async def _keep(self, sent: list[Delivery]) -> JSONResponse:
        deliveries = [one for one in sent if one.arrivals]  # what nothing follows from needs not be known again
        try:
            new = [await self.intake.keep(one) for one in deliveries]
        except (OSError, sqlite3.Error) as error:
            _log.error("what arrives cannot be kept: %s", error)
            raise Refused(503, "it cannot be kept just now") from None
        kept = sum(len(one.arrivals) for one, is_new in zip(deliveries, new, strict=True) if is_new)
        return _answer(202 if kept else 200, Taken(kept=kept, known=bool(new) and not any(new)))


def create_app(receiver: Receiver) -> FastAPI:
    """Return the application; its description lies at /openapi.json, and there are no pages."""
    app = FastAPI(title="Headway hooks", version="1", docs_url=None, redoc_url=None)

    told = Refusals()

    @app.exception_handler(Refused)
    async def refuse(request: Request, refused: Refused) -> JSONResponse:
        told.tell(f"{request.url.path[:60]!r}: {refused.status}, {refused.reason}")
        return _answer(refused.status, Answer(error=refused.reason))

    def route(source: Source, take: Callable[[Request, str], Awaitable[JSONResponse]], *headers: str) -> None:
        described = {**_takes(source), "parameters": [_header(name) for name in headers]}
        path = f"/{source}/{{name}}"

        @app.post(path, operation_id=source, responses=_ANSWERS, openapi_extra=described, response_model=Taken)
        async def post(request: Request, name: Name) -> JSONResponse:
            return await take(request, name)

    route("github", receiver.github, "X-Hub-Signature-256", "X-GitHub-Delivery", "X-GitHub-Event")
    route("aws", receiver.aws)
    route("registry", receiver.registry, "Authorization")

    @app.get("/health", operation_id="health")
    async def health() -> Taken:
        return Taken()

    return app


def _header(name: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "schema": {"type": "string", "minLength": 1}}


def _arrivals(connection: Connection, delivery: str, found: list[Happening]) -> list[Arrival]:
    about = {
        "connection": connection.name,
        "delivery": delivery,
        "received": datetime.now(UTC),
        "project": connection.project,
        "app": connection.app,
        "environment": connection.environment,
        "within_minutes": connection.within_minutes,
    }
    return [Arrival.model_validate({**one.model_dump(), **about, "number": number}) for number, one in enumerate(found)]


def _answer(status: int, content: Model) -> JSONResponse:
    # One request a connection: how long one may take is known, and nobody holds it for another.
    return JSONResponse(content.model_dump(), status, headers={"connection": "close"})
