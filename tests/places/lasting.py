"""A server whose answers last, and which closes every connection without saying so; and a client that holds on."""

import socket
from urllib.parse import urlsplit

# HTTP/1.1 without `Connection: close`, as uWSGI's http-socket does; a stream goes on until a WebSocket says `finish`.
SERVER = """
import base64, hashlib, socketserver, threading, time
finish, hung = threading.Event(), []
class Handler(socketserver.StreamRequestHandler):
    def answer(self, body):
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
    def handle(self):
        method, path = self.rfile.readline().decode().split()[:2]
        path = path.partition("?")[0]
        headers = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if path == "/stream":
            self.wfile.write(b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n")
            while not finish.wait(0.1):
                self.wfile.write(b"5\\r\\ntick \\r\\n")
            self.wfile.write(b"4\\r\\ndone\\r\\n0\\r\\n\\r\\n")
        elif path == "/socket":
            accept = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
            accept = base64.b64encode(hashlib.sha1(accept.encode()).digest())
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n")
            self.wfile.write(b"Sec-WebSocket-Accept: %s\\r\\n\\r\\n" % accept)
            while said := self.connection.recv(100):
                self.wfile.write(said)
                if said == b"finish": finish.set()
        elif path == "/hang":
            hung.append(1)
            time.sleep(600)
        elif path == "/hung":
            self.answer(b"%d" % len(hung))
        else:
            self.answer(b"%d" % len(self.rfile.read(int(headers.get("content-length", 0)))))
socketserver.ThreadingTCPServer.request_queue_size = 100
socketserver.ThreadingTCPServer(("", 8000), Handler).serve_forever()
"""
# One at a time, HTTP/1.0, no Content-Length, and the kernel lets five wait: what Python brings.
ONE_AT_A_TIME = """
import http.server, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.005)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *args): pass
http.server.HTTPServer(("", 8000), Handler).serve_forever()
"""
HANDSHAKE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


class Connection:
    """One connection of a user, on which things are sent and awaited piece by piece."""

    def __init__(self, url: str, request: str, headers: str = "") -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname, address.port), timeout=60)
        self.said = b""
        self.send(f"{request} HTTP/1.1\r\nHost: shop\r\n{headers}\r\n".encode())

    def send(self, content: bytes) -> None:
        """Send more."""
        self._socket.sendall(content)

    def until(self, awaited: bytes) -> bytes:
        """Return what came, up to `awaited`; it ends without it when the other side closed."""
        while awaited not in self.said and (more := self._socket.recv(65536)):
            self.said += more
        came, sign, self.said = self.said.partition(awaited)
        return came + sign

    def close(self) -> None:
        """End it."""
        self._socket.close()
