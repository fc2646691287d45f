"""A local HTTP service built from a vendor's published schema: strict, and faulty when told."""

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; header names are lower case, a query keeps its last value per name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers.get("content-type") == "application/json"
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        assert self.headers.get("content-type") == "application/x-www-form-urlencoded"
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; a body that is no bytes is written as JSON."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    promised: int = 0  # further bytes that Content-Length promises and that never come


class FaultError(Exception):
    """A service's error in its own shape."""

    def __init__(self, status: int, body: object, **headers: str) -> None:
        super().__init__(status)
        self.reply = Reply(body, status, {n.replace("_", "-"): v for n, v in headers.items()})


class QuietServer(ThreadingHTTPServer):
    """A client that hangs up amid an answer, as bounded ones do, is no news."""

    daemon_threads = False

    def handle_error(self, *_: object) -> None:
        """Silence."""


class StrictService:
    """Serves `answer` on a free port of the loopback until it is stopped.

    What stands in `faults` is answered first, each once. A test's own mistakes, such as a
    request that the schema does not know, are kept in `mistakes`, and answered with 400.
    """

    def __init__(
        self, answer: Callable[[Asked], Reply], *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.faults: list[Reply] = []
        self.asked: list[Asked] = []
        self.mistakes: list[str] = []
        self._answer = answer
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service._serve(self)

            do_POST = do_GET  # noqa: N815 - as the library names it

            def log_message(self, *_: object) -> None:
                """Silence."""

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.port = self._server.server_port
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        target = urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length", "0"))
        asked = Asked(
            handler.command,
            unquote(target.path),
            dict(parse_qsl(target.query, keep_blank_values=True)),
            {name.lower(): value for name, value in handler.headers.items()},
            handler.rfile.read(length),
        )
        self.asked.append(asked)
        reply = self.faults.pop(0) if self.faults else self._reply(asked)
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        headers = dict(reply.headers)
        if not isinstance(reply.body, bytes):
            headers.setdefault("Content-Type", "application/json; charset=UTF-8")
        handler.send_response(reply.status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body) + reply.promised))
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(body)

    def _reply(self, asked: Asked) -> Reply:
        try:
            return self._answer(asked)
        except FaultError as fault:
            return fault.reply
        except (AssertionError, KeyError, ValueError) as mistake:
            self.mistakes.append(f"{asked.method} {asked.path}: {mistake!r}")
            return Reply({"error": "mistake"}, 400)


HTML = Reply(b"<html>Sign in to this network", 200, {"Content-Type": "text/html"})
PROXY = Reply(b"<html>not here", 404, {"Content-Type": "text/html"})
CUT = Reply(b'{"messages": [', 200, {"Content-Type": "application/json"}, promised=500)
HALF = Reply(b'{"messages": [', 200, {"Content-Type": "application/json"})
LONG = Reply(b" " * 17_000_000, 200, {"Content-Type": "application/json"})
LIST = Reply([], 200)
DEEP = Reply(b"[" * 100_000, 200, {"Content-Type": "application/json"})
SERVER = Reply({"error": {"code": 503, "status": "UNAVAILABLE"}}, 503, {"Retry-After": "40"})
ELSEWHERE = Reply(b"", 302, {"Location": "https://elsewhere.example/"})
TROUBLE: Mapping[str, Reply] = {
    "html": HTML,
    "proxy": PROXY,
    "cut": CUT,
    "half": HALF,
    "long": LONG,
    "list": LIST,
    "deep": DEEP,
    "503": SERVER,
    "redirect": ELSEWHERE,
}


class Tokens:
    """Gives t1, t2, ..., one more each time the last one is refused."""

    def __init__(self) -> None:
        self.number = 1

    def token(self) -> str:
        return f"t{self.number}"

    def reject(self, token: str) -> None:
        self.number += token == self.token()
