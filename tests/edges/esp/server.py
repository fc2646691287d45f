"""A strict HTTP server on the loopback that plays a sending service, built from its schema.

It takes nothing that the schema does not name. What it finds wrong is written down in
`problems`, so that a test fails on it whatever the client makes of the answer.
"""

import base64
import binascii
import contextlib
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

Shape = Callable[[object, str], list[str]]  # value, where it stands -> what is wrong


def obj(needed: Mapping[str, Shape], allowed: Mapping[str, Shape] | None = None) -> Shape:
    """An object with the needed fields, perhaps the allowed ones, and no others."""
    known = {**needed, **(allowed or {})}

    def check(value: object, at: str) -> list[str]:
        if not isinstance(value, dict):
            return [f"{at} is no object"]
        wrong = [f"{at}.{name} is missing" for name in needed if name not in value]
        wrong += [f"{at}.{name} is not in the schema" for name in value if name not in known]
        for name, inner in value.items():
            wrong += known[name](inner, f"{at}.{name}") if name in known else []
        return wrong

    return check


def each(shape: Shape, *, most: int = 1000) -> Shape:
    def check(value: object, at: str) -> list[str]:
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            return [f"{at} is no list of 1 to {most}"]
        return [one for i, inner in enumerate(value) for one in shape(inner, f"{at}[{i}]")]

    return check


def text(pattern: str = r"(?s).+") -> Shape:
    def check(value: object, at: str) -> list[str]:
        fits = isinstance(value, str) and re.fullmatch(pattern, value) is not None
        return [] if fits else [f"{at} does not match {pattern}: {value!r:.60}"]

    return check


def flag(value: object, at: str) -> list[str]:
    return [] if isinstance(value, bool) else [f"{at} is no boolean"]


def strings(value: object, at: str) -> list[str]:
    """An object of texts, as custom headers are."""
    fits = isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
    return [] if fits else [f"{at} is no object of texts"]


def base64_text(value: object, at: str) -> list[str]:
    try:
        base64.b64decode(str(value), validate=True)
    except binascii.Error:
        return [f"{at} is not base64"]
    return []


ADDRESS = text(r"[^<>@\s]+@[^<>@\s]+")


@dataclass(frozen=True)
class Heard:
    """One request as it came in. Header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Call:
    """What the service takes at one place."""

    method: str
    path: str
    headers: Mapping[str, str]  # with these values
    body: Callable[[Heard], list[str]]  # what is wrong with it


@dataclass(frozen=True)
class Vendor:
    """One service, as its schema has it."""

    kind: str
    options: Mapping[str, str]
    send: Call
    question: Call
    taken: bytes  # the answer to a letter
    known: bytes  # the answer to the question
    who: str  # as `check` says it
    refused: bytes  # how it says that a letter is refused
    words: str  # that are told then
    unknown_key: bytes
    failed: bytes  # how it says that it failed itself
    took: Callable[[Heard], "Sent"]
    id: str
    their_id: str = ""
    only_sends: bytes = b""  # to the question of a key that may only send
    may_not_send: Sequence[bytes] = ()  # answers to the question of accounts that may not


@dataclass(frozen=True)
class Sent:
    """What the service would send of a request."""

    recipient: str
    raw: bytes = b""  # the whole message, where it takes one
    sender: str = ""
    name: str = ""
    subject: str = ""
    bodies: tuple[str, str] = ("", "")  # text, HTML
    headers: Mapping[str, str] = field(default_factory=dict)


def reply(status: int, body: object = b"", kind: str = "application/json", **headers: str) -> bytes:
    """An answer with its length; objects become JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"Content-Type": kind, "Content-Length": str(len(raw))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase if status != 420 else 'Enough'}"]
    lines += [f"{name}: {value}" for name, value in named.items()]
    return "\r\n".join((*lines, "", "")).encode() + raw


class Silence:
    """Says nothing, and keeps the connection."""


class Goodbye:
    """Closes the connection once the request is read."""


class Deaf:
    """Closes the connection in the middle of a request."""


class Drip:
    """Says something all the time, and never comes to an end."""


Act = bytes | type[Silence] | type[Goodbye] | type[Deaf] | type[Drip]


class EspServer:
    """Plays a vendor: each letter gets the next act, and the usual answer after the last."""

    def __init__(self, vendor: Vendor, tls: ssl.SSLContext | None = None) -> None:
        self.vendor = vendor
        self.acts: list[Act] = []
        self.question: Act = vendor.known
        self.letters: list[Heard] = []
        self.questions = 0
        self.connections = 0
        self.problems: list[str] = []
        self._tls = tls
        self._stopped = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def stop(self) -> None:
        self._stopped.set()
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def hang_up(self) -> None:
        """End the connections there are; new ones are welcome."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while self._exchange(connection, stream):
                    pass

    def _exchange(self, connection: socket.socket, stream: Any) -> bool:
        """Read a request and act on it; False ends the connection."""
        first = stream.readline().decode("latin-1").split()
        if len(first) != 3:
            return False
        headers = {}
        while line := stream.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        is_letter = first[1] == self.vendor.send.path
        act = self._act(is_letter=is_letter)
        if act is Deaf:
            return False
        heard = Heard(
            first[0], first[1], headers, stream.read(int(headers.get("content-length", 0)))
        )
        call = self.vendor.send if is_letter else self.vendor.question
        wrong = _wrong(heard, call)
        self.problems += wrong
        if is_letter:
            self.letters.append(heard)
        else:
            self.questions += 1
        return self._answer(connection, reply(400, {"wrong": wrong}) if wrong else act)

    def _act(self, *, is_letter: bool) -> Act:
        if not is_letter:
            return self.question
        return self.acts.pop(0) if self.acts else self.vendor.taken

    def _answer(self, connection: socket.socket, act: Act) -> bool:
        if isinstance(act, bytes):
            connection.sendall(act)
            return b"Content-Length" in act and len(act.partition(b"\r\n\r\n")[2]) == _length(act)
        if act is Silence:
            self._stopped.wait(10)
        if act is Drip:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not self._stopped.wait(0.02):
                connection.sendall(b"x")
        return False


def _length(raw: bytes) -> int:
    found = re.search(rb"Content-Length: (\d+)", raw)
    return int(found[1]) if found else -1


def _wrong(heard: Heard, call: Call) -> list[str]:
    wrong = []
    if (heard.method, heard.path) != (call.method, call.path):
        wrong.append(f"{heard.method} {heard.path} is no call of this service")
    for name, value in call.headers.items():
        if heard.headers.get(name.lower()) != value:
            wrong.append(f"{name} is {heard.headers.get(name.lower())!r}, not {value!r}")
    if "transfer-encoding" in heard.headers:
        wrong.append("the length of the body is not told")
    try:
        return wrong + call.body(heard)
    except ValueError as error:
        return [*wrong, f"the body cannot be read: {error}"]


def json_body(shape: Shape) -> Callable[[Heard], list[str]]:
    """A JSON body of this shape."""

    def check(heard: Heard) -> list[str]:
        kind = heard.headers.get("content-type", "")
        wrong = [] if kind == "application/json" else [f"the body is {kind!r}"]
        return wrong + shape(heard.json, "body")

    return check


def no_body(heard: Heard) -> list[str]:
    return ["there is a body"] if heard.body else []
