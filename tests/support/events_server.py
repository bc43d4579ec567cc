"""What a Prefect server does with events, as far as the receiver sees it; it may be down, or lose its memory."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RUNS_AT_ONCE = 500


@dataclass
class EventsServer:
    """Events by their id in memory, and the runs that were made of them; `told` counts how often each was posted."""

    told: dict[str, int] = field(default_factory=dict)
    memory: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: int = 0
    is_down: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def post(self, events: list[dict[str, Any]]) -> None:
        with self.lock:
            for event in events:
                self.told[event["id"]] = self.told.get(event["id"], 0) + 1
                if event["id"] not in self.runs:
                    self.memory[event["id"]] = event

    def work(self, count: int = 10**9) -> None:
        """Make runs of what is in memory."""
        with self.lock:
            for identity in list(self.memory)[:count]:
                self.runs[identity] = {"parameters": {"arrival": self.memory.pop(identity)["payload"]}}

    def lose_memory(self) -> None:
        with self.lock:
            self.memory.clear()

    def page(self, offset: int, limit: int) -> list[dict[str, Any]]:
        with self.lock:
            return list(reversed(self.runs.values()))[offset : offset + limit]


def serve_events(server: EventsServer) -> ThreadingHTTPServer:
    """Return the server, listening on a free port; whoever asked for it closes it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(200, {})

        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if server.is_down:
                server.refused += 1
                self.answer(503, {})
            elif self.path.endswith("/events"):
                server.post(content)
                server.work(RUNS_AT_ONCE)
                self.answer(204, None)
            else:
                self.answer(200, server.page(content["offset"], content["limit"]))

        def answer(self, status: int, content: Any) -> None:
            body = b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    return made
