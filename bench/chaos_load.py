"""A few impatient clients on every place, in a process of their own: `python -m bench.chaos_load PORT…`.

Two keep their connection, one makes a new one for each request. Nothing is sent twice. Each answer, good or bad, is a
line of JSON: place, when the request was sent and when it was over (seconds since 1970), how it ended, and what was
answered.
"""

import http.client
import json
import sys
import threading
import time

PAUSE_SECONDS = 0.15  # three clients: about twenty requests a second
TIMEOUT_SECONDS = 10


def ask(connection: http.client.HTTPConnection) -> tuple[str, str]:
    """Send one request and return how it ended (`ok`, a status or an error's name) and the answer."""
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        body = answer.read(200).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        connection.close()  # the next request makes a new connection
        return type(error).__name__, ""
    return ("ok" if answer.status == 200 else str(answer.status)), body


def work(place: int, port: int, *, keeps: bool, out: threading.Lock) -> None:
    """Ask for ever."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    while True:
        began = time.time()
        ended, body = ask(connection)
        line = json.dumps([place, round(began, 4), round(time.time(), 4), ended, body])
        with out:
            print(line, flush=True)
        if not keeps:
            connection.close()
        time.sleep(PAUSE_SECONDS)


def main(ports: list[int]) -> None:
    """Begin all clients; they end when the standard input is closed, so also when whoever started them dies."""
    out = threading.Lock()
    for place, port in enumerate(ports):
        for keeps in (True, True, False):
            threading.Thread(target=work, args=(place, port), kwargs={"keeps": keeps, "out": out}, daemon=True).start()
            time.sleep(PAUSE_SECONDS / (3 * len(ports)))
    sys.stdin.read()


if __name__ == "__main__":
    main([int(port) for port in sys.argv[1:]])
