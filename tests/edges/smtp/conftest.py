"""A mail server that follows a script, and a transport that talks to it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from monitor.core.campaigns import Handover, Letter
from monitor.core.seeds import Endpoint, Security
from monitor.senders.routes import Route, smarthost
from monitor.senders.smtp import SmtpTransport

WAIT_S = 10.0  # a test that takes as long has failed
FINE = "250 2.1.0 fine\r\n"
HELLO = "250-test.example\r\n250-SIZE 1000000\r\n250 8BITMIME\r\n"


class Conversation:
    """One client's connection, from the server's side."""

    def __init__(self, connection: socket.socket, heard: list[str]) -> None:
        self._connection = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self._lines = connection.makefile("rb")
        self._heard = heard

    def say(self, text: str) -> None:
        self._connection.sendall(text.encode())

    def hear(self) -> str:
        raw = self._lines.readline(100_000)
        if not raw:
            raise ConnectionResetError("the client is gone")
        line = raw.decode("latin-1").rstrip("\r\n")
        self._heard.append(line)
        return line

    def hear_body(self) -> None:
        while self.hear() != ".":
            pass

    def hear_chunk(self, size: int) -> None:
        if len(self._lines.read(size)) < size:
            raise ConnectionResetError("the client is gone")

    def end(self) -> None:
        self._lines.close()
        self._connection.close()

    def take(
        self, *, greeting: str = "220 test.example\r\n", replies: dict[str, str] | None = None
    ) -> None:
        """Play an ordinary server with some *replies* of its own, by the first word heard."""
        known = {"EHLO": HELLO, "DATA": "354 go on\r\n", ".": "250 2.0.0 queued as 17\r\n"}
        known |= {"QUIT": "221 bye\r\n"} | (replies or {})
        self.say(greeting)
        while line := self.hear():
            word = line.split(" ")[0].split(":")[0].upper()
            if word == "BDAT":
                self.hear_chunk(int(line.split(" ")[1]))
            reply = known["." if word == "BDAT" else word] if word in {*known, "BDAT"} else FINE
            if reply == "":
                return
            self.say(reply)
            if word == "DATA" and reply.startswith("354"):
                self.hear_body()
                if known["."] == "":
                    return
                self.say(known["."])
            if word == "QUIT" or reply.startswith("421"):
                return

    def take_one(self) -> None:
        """Take one letter whole, and leave the connection to the script."""
        self.say("220 test.example\r\n")
        self.await_body()
        self.hear_body()
        self.say("250 2.0.0 queued as 17\r\n")

    def await_body(self) -> None:
        """Answer as far as DATA."""
        for reply in (HELLO, "250 ok\r\n", "250 ok\r\n", "354 go on\r\n"):
            self.hear()
            self.say(reply)


Script = Callable[[Conversation], None]


class Server:
    """Plays one script per connection; the last one is repeated."""

    def __init__(self, *scripts: Script) -> None:
        self.heard: list[list[str]] = []
        self._scripts = scripts
        self._talks: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("127.0.0.1", self._listener.getsockname()[1], Security.PLAIN)

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._stops:
                connection.close()
                return
            heard: list[str] = []
            self.heard.append(heard)
            script = self._scripts[min(len(self.heard), len(self._scripts)) - 1]
            talk = threading.Thread(
                target=self._talk, args=(script, Conversation(connection, heard))
            )
            self._talks.append(talk)
            talk.start()

    def _talk(self, script: Script, conversation: Conversation) -> None:
        with suppress(OSError):
            script(conversation)
        conversation.end()

    _stops = False

    def stop(self) -> None:
        self._stops = True
        socket.create_connection(self._listener.getsockname()).close()
        for thread in (self._thread, *self._talks):
            thread.join(WAIT_S)
        self._listener.close()


class Stage:
    """Starts servers, and sends letters to them."""

    def __init__(self) -> None:
        self._servers: list[Server] = []

    def serve(self, *scripts: Script) -> Server:
        self._servers.append(Server(*scripts))
        return self._servers[-1]

    def play(self, *, greeting: str = "220 test.example\r\n", **replies: str) -> Server:
        """Start an ordinary server with some replies of its own; `end` answers the end of data."""
        return self.serve(self.script(greeting=greeting, **replies))

    def script(self, *, greeting: str = "220 test.example\r\n", **replies: str) -> Script:
        own = {("." if word == "end" else word): reply for word, reply in replies.items()}
        return lambda conversation: conversation.take(greeting=greeting, replies=own)

    def letter(self, number: int = 1, raw: bytes = b"Subject: x\r\n\r\nhello\r\n") -> Letter:
        return Letter(f"<{number}@a.example>", "bounce@a.example", f"seed{number}@b.example", raw)

    def transport(self, where: Endpoint | Route, *, timeout_s: float = WAIT_S) -> SmtpTransport:
        route = smarthost(where) if isinstance(where, Endpoint) else where
        return SmtpTransport(route, hostname="monitor.example", timeout_s=timeout_s)

    def send(self, server: Server, count: int = 1, *, timeout_s: float = WAIT_S) -> list[Handover]:
        letters = [self.letter(number) for number in range(1, count + 1)]
        return list(self.transport(server.endpoint, timeout_s=timeout_s).send(letters))

    def send_many(self, server: Server, count: int, **pace: int) -> list[Handover]:
        letters = [self.letter(number) for number in range(1, count + 1)]
        transport = self.transport(server.endpoint).at_once(**pace)
        return list(transport.send_many(letters, window=transport.window))

    def stop(self) -> None:
        for server in self._servers:
            server.stop()


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.stop()
