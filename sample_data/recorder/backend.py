"""The small application behind nginx on `web`: every request opens a connection to redis on `db`."""

from __future__ import annotations

import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def redis(address: str, *commands: list[str]) -> list[bytes]:
    """Send commands to redis over one new connection and return the raw replies."""
    replies = []
    with socket.create_connection((address, 6379), timeout=5) as sock:
        for words in commands:
            parts = [f"*{len(words)}\r\n"] + [f"${len(word)}\r\n{word}\r\n" for word in words]
            sock.sendall("".join(parts).encode())
            replies.append(sock.recv(4096))
        sock.sendall(b"*1\r\n$4\r\nQUIT\r\n")
        sock.recv(64)
    return replies


class App(BaseHTTPRequestHandler):
    """Answers ``/app/<item>`` with what redis holds about the item."""

    def do_GET(self) -> None:
        """Count the visit, keep the last visitor, return both."""
        item = self.path.rsplit("/", 1)[-1][:40] or "home"
        try:
            counted, *_ = redis(
                sys.argv[1],
                ["INCR", f"visits:{item}"],
                ["SET", f"last:{item}", "seen"],
                ["GET", f"last:{item}"],
            )
            body = f"<html>{item}: visit {counted[1:].decode().strip()}</html>\n".encode()
            self.send_response(200)
        except OSError:
            body = b"<html>no database</html>\n"
            self.send_response(503)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", 8081), App).serve_forever()
