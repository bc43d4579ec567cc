"""Passes on what is said: over WebSockets, in streams of minutes, and in uploads that take as long."""

import asyncio
import json
import os
import signal
from collections import Counter
from pathlib import Path

from aiohttp import WSMsgType, web

EDITION = "first"
SAID = Path("/var/lib/relay/said")


async def home(request: web.Request) -> web.Response:
    return web.json_response({"edition": EDITION})


async def say(request: web.Request) -> web.Response:
    """Write down what was said, a line for each time it arrived."""
    token = (await request.text()).strip()
    with SAID.open("a") as file:
        file.write(f"{token}\n")
    return web.json_response({"said": token}, status=201)


async def said(request: web.Request) -> web.Response:
    return web.json_response(Counter(SAID.read_text().split() if SAID.exists() else []))


async def stream(request: web.Request) -> web.StreamResponse:
    """Send a line each second, and a last one."""
    answer = web.StreamResponse(headers={"content-type": "text/plain"})
    await answer.prepare(request)
    for second in range(int(request.query["seconds"])):
        await answer.write(f"{second}\n".encode())
        await asyncio.sleep(1)
    await answer.write(b"end\n")
    await answer.write_eof()
    return answer


async def silence(request: web.Request) -> web.Response:
    """Answer late, and write down that it was asked."""
    with SAID.open("a") as file:
        file.write(f"{request.query['token']}\n")
    await asyncio.sleep(int(request.query["seconds"]))
    return web.json_response({"edition": EDITION})


async def upload(request: web.Request) -> web.Response:
    """Read all of it, however slowly it comes."""
    size = 0
    async for part in request.content.iter_any():
        size += len(part)
    return web.json_response({"size": size}, status=201)


async def talk(request: web.Request) -> web.WebSocketResponse:
    """Say everything again."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(json.dumps({"edition": EDITION, "heard": message.data}))
    return socket


def main() -> None:
    app = web.Application(client_max_size=2**30)
    app.add_routes(
        [
            web.get("/", home),
            web.post("/say", say),
            web.get("/said", said),
            web.get("/stream", stream),
            web.get("/silence", silence),
            web.post("/upload", upload),
            web.get("/talk", talk),
        ]
    )
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # it trusts whoever ends it to have waited
    web.run_app(app, port=8000, print=None, handle_signals=False)


if __name__ == "__main__":
    main()
