"""Servers that say what a test wants, a relay that listens in, and a Dovecot of our own."""

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

import pytest
import trustme

from monitor.core.campaigns import Wanted
from monitor.core.providers import parse_provider
from monitor.core.seeds import Account, Endpoint, ProviderFacts, Security
from monitor.mailboxes.imap import ImapMailbox
from monitor.rendering import data_dir
from tests.servers import dovecot as servers

Answer = bytes | Callable[[bytes], bytes] | None
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HEADER = b"Message-ID: <1@brand.example>\r\nX-Seedwatch-Test: tok1\r\nSubject: hello\r\n\r\n"
IN_INBOX = b'* 1 FETCH (UID 7 INTERNALDATE "02-Mar-2026 08:00:05 +0000" BODY[HEADER]<0> {%d}\r\n'
USUAL: Mapping[str, bytes] = {
    "LOGIN": b"TAG OK [CAPABILITY IMAP4rev1] signed in\r\n",
    "LIST": b'* LIST () "/" INBOX\r\nTAG OK done\r\n',
    "EXAMINE": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n* OK [UIDNEXT 8] x\r\nTAG OK done\r\n",
    "UID SEARCH": b"* SEARCH 7\r\nTAG OK done\r\n",
    "UID FETCH": IN_INBOX % len(HEADER) + HEADER + b")\r\nTAG OK done\r\n",
}


def make_wanted(number: int = 1, *, sent_at: datetime = NOW, was_found: bool = False) -> Wanted:
    """Copy *number* of our test, as a look asks for it."""
    return Wanted(f"<{number}@brand.example>", f"tok{number}", sent_at, was_found=was_found)


def make_letter(number: int = 1, extra: bytes = b"") -> bytes:
    """Copy *number* as it arrives, with *extra* header lines."""
    head = b"From: news@brand.example\r\nMessage-ID: <%d@brand.example>\r\n" % number
    return head + b"X-Seedwatch-Test: tok%d\r\n%bSubject: hello\r\n\r\nbody\r\n" % (number, extra)


@pytest.fixture
def wanted() -> Callable[..., Wanted]:
    return make_wanted


@pytest.fixture
def letter() -> Callable[..., bytes]:
    return make_letter


class Server:
    """Accepts on loopback and gives each connection to `talk` in a thread of its own."""

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self._talk = talk
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        host, port = self._listener.getsockname()
        self.endpoint = Endpoint(host, port, Security.PLAIN)
        self._threads.append(threading.Thread(target=self._accept))
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection:
            self._talk(connection)

    def hang_up(self) -> None:
        """End all connections; new ones are welcome."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join(5)


def tagged(answer: bytes, tag: bytes) -> bytes:
    """*answer* with *tag* for every TAG; it may be any bytes, a TLS hello's among them."""
    return re.sub(rb"(?m)^TAG\b", lambda _: tag, answer)


class ScriptedImap:
    """Answers commands by their longest known beginning; b"" means silence, None goodbye.

    TAG at the start of a line becomes the command's tag; a function is called with it.
    """

    def __init__(
        self,
        answers: Mapping[str, Answer],
        *,
        greeting: bytes = b"* OK ready\r\n",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.answers: dict[str, Answer] = {**USUAL, **answers}
        self.commands: list[str] = []
        self.connections = 0
        self._greeting = greeting
        self._tls = tls
        self._server = Server(self._talk)
        self.endpoint = self._server.endpoint
        self.hang_up = self._server.hang_up
        self.stop = self._server.stop

    def _talk(self, connection: socket.socket) -> None:
        self.connections += 1
        connection.sendall(self._greeting)
        if self._converse(connection) and self._tls is not None:
            with self._tls.wrap_socket(connection, server_side=True) as encrypted:
                self._converse(encrypted)

    def _converse(self, connection: socket.socket) -> bool:
        """Answer until the client leaves (False) or asks for TLS (True)."""
        with connection.makefile("rb") as stream:
            while raw := stream.readline():
                tag, _, command = raw.rstrip(b"\r\n").decode("latin-1").partition(" ")
                self.commands.append(command)
                answer = self._answer(command)
                if callable(answer):
                    answer = answer(tag.encode())
                if answer is None:
                    return False
                connection.sendall(tagged(answer, tag.encode()))
                if command == "STARTTLS":
                    return True
        return False

    def _answer(self, command: str) -> Answer:
        known = [k for k in self.answers if command.startswith(k) and bool(k) == bool(command)]
        return self.answers[max(known, key=len)] if known else b"TAG BAD what?\r\n"


class Relay:
    """Stands between a client and a server, and writes down what the client says."""

    def __init__(self, target: Endpoint) -> None:
        self._target = (target.host, target.port)
        self._lock = threading.Lock()
        self._client_spoke_last = False
        self.said = b""
        self.heard_bytes = 0
        self.round_trips = 0  # the server's first words, and each time the client spoke again
        self._server = Server(self._talk)
        self.endpoint = self._server.endpoint
        self.stop = self._server.stop

    @property
    def commands(self) -> list[str]:
        """The client's commands without their tags."""
        lines = self.said.decode("latin-1").split("\r\n")
        return [line.partition(" ")[2] for line in lines if line]

    def _talk(self, client: socket.socket) -> None:
        with socket.create_connection(self._target) as server:
            with self._lock:
                self.round_trips += 1
                self._client_spoke_last = False
            back = threading.Thread(target=self._pump, args=(server, client, False))
            back.start()
            self._pump(client, server, True)
            back.join(5)

    def _pump(self, source: socket.socket, sink: socket.socket, is_client: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                with self._lock:
                    if is_client:
                        self.said += data
                        self.round_trips += not self._client_spoke_last
                    else:
                        self.heard_bytes += len(data)
                    self._client_spoke_last = is_client
                sink.sendall(data)
        for end in (sink, source):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="session")
def facts() -> dict[str, ProviderFacts]:
    """The provider facts that we ship."""
    files = (data_dir("seedlists") / "providers").glob("*.toml")
    return {f.stem: parse_provider(f.read_text("utf-8"), name=f.stem) for f in files}


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedImap]]:
    """Start IMAP servers that answer as told; they end with the test."""
    servers: list[ScriptedImap] = []

    def start(answers: Mapping[str, Answer] | None = None, **options: object) -> ScriptedImap:
        servers.append(ScriptedImap(answers or {}, **options))  # type: ignore[arg-type]
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def relay() -> Iterator[Callable[[Endpoint], Relay]]:
    """Start relays; they end with the test."""
    relays: list[Relay] = []

    def start(target: Endpoint) -> Relay:
        relays.append(Relay(target))
        return relays[-1]

    yield start
    for one in relays:
        one.stop()


@pytest.fixture
def mailbox(facts: dict[str, ProviderFacts]) -> Iterator[Callable[..., ImapMailbox]]:
    """Open mailboxes of "a@seed.example"; they are closed after the test."""
    opened: list[ImapMailbox] = []

    def open_(
        endpoint: Endpoint,
        provider: str = "corporate",
        *,
        address: str = "a@seed.example",
        password: str = "pw",
        **options: object,
    ) -> ImapMailbox:
        account = Account(address, provider, endpoint, address, password)
        options = {"timeout_s": 10.0, **options}
        opened.append(ImapMailbox(account, facts[provider], **options))  # type: ignore[arg-type]
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def dovecot() -> Iterator[Endpoint]:
    """Dovecot 2.3, for as long as the test; everybody's password is pw."""
    with servers.dovecot({"Unerwünscht": "\\Junk", "Quarantine": "", "Sent": "\\Sent"}) as server:
        yield server.endpoint


class ScriptedHttp:
    """Answers each request by the longest known beginning of "METHOD target".

    An answer is raw HTTP, or a function of the request's number that returns it. After one
    of `stalls` the connection stays open, for as long as the client cares to wait.
    """

    def __init__(self, answers: Mapping[str, bytes | Callable[[int], bytes]]) -> None:
        self.answers = dict(answers)
        self.requests: list[str] = []
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.stalls: set[str] = set()
        self._server = Server(self._talk)
        self.stop = self._server.stop
        self.host = f"127.0.0.1:{self._server.endpoint.port}"
        self.url = f"http://{self.host}"

    def _talk(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            head = b""
            while (line := stream.readline()) not in {b"\r\n", b""}:
                head += line
            length = re.search(rb"(?im)^content-length: (\d+)", head)
            self.bodies.append(stream.read(int(length[1])) if length else b"")
            self.heads.append(head.decode("latin-1"))
            self.requests.append(" ".join(head.decode("latin-1").split(" ", 2)[:2]))
            known = [key for key in self.answers if self.requests[-1].startswith(key)]
            if known:
                key = max(known, key=len)
                answer = self.answers[key]
                connection.sendall(answer if isinstance(answer, bytes) else answer(len(self.heads)))
                if key in self.stalls:
                    stream.read()


def http(status: int = 200, body: bytes | str = b"", **headers: str) -> bytes:
    """Return one HTTP answer that ends with its connection."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} X", "Connection: close", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[socket.socket], None]], Server]]:
    """Start servers that treat a connection as told; they end with the test."""
    servers: list[Server] = []

    def start(talk: Callable[[socket.socket], None]) -> Server:
        servers.append(Server(talk))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def web() -> Iterator[Callable[..., ScriptedHttp]]:
    """Start HTTP servers that answer as told; they end with the test."""
    servers: list[ScriptedHttp] = []

    def start(answers: Mapping[str, bytes | Callable[[int], bytes]]) -> ScriptedHttp:
        servers.append(ScriptedHttp(answers))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def answer() -> Callable[..., bytes]:
    return http


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BROKEN: Mapping[str, bytes] = {
    "cut chunk": HEAD + b'Transfer-Encoding: chunked\r\n\r\n50\r\n{"value": [',
    "chunk of no size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n",
    "cut body": HEAD + b'Content-Length: 500\r\n\r\n{"value": [',
    "no gzip": HEAD + b'Content-Encoding: gzip\r\nContent-Length: 13\r\n\r\n{"value": []}',
}


@pytest.fixture(params=[*BROKEN, "stall"])
def broken(request: pytest.FixtureRequest) -> Callable[[ScriptedHttp, str], None]:
    """Let a server's answer to a request go wrong within its body, once for each way."""

    def break_(server: ScriptedHttp, key: str) -> None:
        server.answers[key] = BROKEN.get(request.param, BROKEN["cut body"])
        if request.param == "stall":
            server.stalls.add(key)

    return break_
